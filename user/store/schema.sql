-- SPDX-License-Identifier: MIT
-- What a file of --save holds: schema 2 (PRAGMA user_version; PRAGMA application_id is 'cowt').
-- Everything is resolved: names, lines and types as they were read while it was traced.

-- The whole recording: one row.
CREATE TABLE capture (
	id INTEGER PRIMARY KEY,
	version TEXT NOT NULL,          -- of the cowtrace that recorded it
	kernel TEXT NOT NULL,
	machine TEXT NOT NULL,
	page_size INTEGER NOT NULL,     -- bytes
	base_time INTEGER NOT NULL,     -- ns of CLOCK_MONOTONIC that copy.time counts from
	start_time INTEGER,             -- ns of CLOCK_MONOTONIC: the start of the command
	seconds REAL,                   -- from there to the end
	copies INTEGER,                 -- that were seen; fewer are here if the recording was cut
	finished INTEGER NOT NULL,      -- 1: all of it is here; 0: it was cut
	cut TEXT,                       -- by what, if that is known
	witness TEXT NOT NULL,          -- how copies were proven
	witness_limits TEXT NOT NULL,   -- what that can not see
	witness_note TEXT,              -- what its numbers mean if they are not simply copies
	wall_time INTEGER,              -- of start_time: ns since 1970
	reuses INTEGER,                 -- writes to pages that nobody shared any longer: no copies
	kernel_copies INTEGER,          -- what the kernel itself counted; NULL: nothing
	kernel_reason TEXT,             -- why not, or why it differs
	kernel_beyond TEXT              -- what it has that the witness does not see
);

-- Copies that happened and could not be looked at, by reason.
CREATE TABLE loss (
	reason TEXT PRIMARY KEY,
	copies INTEGER NOT NULL
) WITHOUT ROWID;

-- Processes, in the order in which they became known. Sums of bytes are NULL if not known.
CREATE TABLE process (
	id INTEGER PRIMARY KEY,
	pid INTEGER NOT NULL,
	ppid INTEGER NOT NULL,          -- pid of its parent
	command TEXT NOT NULL,
	python TEXT,                    -- version of its CPython
	python_problem TEXT,            -- why that is not explained, or a note
	forked INTEGER NOT NULL,        -- 1: began with the pages of a traced process
	exited INTEGER NOT NULL,
	attached INTEGER NOT NULL,      -- 1: it ran before; shared_at_fork is what it shared then
	started INTEGER NOT NULL,       -- ns of CLOCK_MONOTONIC
	shared_at_fork INTEGER,         -- bytes
	shared_now INTEGER,
	new_bytes INTEGER,
	private_before INTEGER,         -- when attached
	lost INTEGER NOT NULL,          -- copies that could not be looked at
	reuses INTEGER NOT NULL,
	known_after INTEGER             -- how many rows of copy came before it was known
);

-- How much a process had newly filled, at times while it was traced.
CREATE TABLE sample (
	process INTEGER NOT NULL,       -- process.id
	time INTEGER NOT NULL,          -- us from capture.base_time
	new_bytes INTEGER NOT NULL,
	after INTEGER NOT NULL          -- how many rows of copy came before it
);

-- Places in programs.
CREATE TABLE site (
	id INTEGER PRIMARY KEY,
	file TEXT,                      -- NULL: not known, see frame.missing
	function TEXT,
	line INTEGER NOT NULL,          -- 0: not known
	source TEXT                     -- text of that line, for the most important ones
);

-- Python stacks: their frames, 0 is the innermost.
CREATE TABLE stack (
	id INTEGER PRIMARY KEY,
	unwind TEXT NOT NULL            -- how it ends: complete, too_deep, ...
);
CREATE TABLE frame (
	stack INTEGER NOT NULL,
	depth INTEGER NOT NULL,
	site INTEGER NOT NULL,
	missing TEXT NOT NULL,          -- none, or why file and function are not known
	PRIMARY KEY (stack, depth)
) WITHOUT ROWID;

-- Types of objects.
CREATE TABLE type (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	has_gc INTEGER NOT NULL,
	preheader INTEGER NOT NULL,
	is_code INTEGER NOT NULL,
	is_type INTEGER NOT NULL
);

-- What proves a cause. Copies that agree in everything from origin to field_width, and in the
-- verdict, share a row; addresses and values, from addr on, are those of the first of them.
CREATE TABLE evidence (
	id INTEGER PRIMARY KEY,
	-- the verdict when it was recorded; a report judges anew
	cause TEXT NOT NULL,
	certainty TEXT NOT NULL,
	detail TEXT NOT NULL,
	type TEXT,
	-- the write
	origin TEXT NOT NULL,           -- what the page was before: fork, file, zero, ksm
	kernel INTEGER NOT NULL,        -- written by the kernel, in a system call
	syscall TEXT,
	unshare INTEGER NOT NULL,       -- not written: un-shared by the kernel, to pin it
	hugetlb INTEGER NOT NULL,       -- a page of hugetlb
	uncounted INTEGER NOT NULL,     -- the kernel's own count leaves such copies out
	page_order INTEGER NOT NULL,    -- 2^page_order pages were copied in one piece
	sharers INTEGER NOT NULL,       -- page tables that mapped it, this one too; 0: not known
	victim INTEGER NOT NULL,        -- pid whose memory it is; 0: the writer's own; 2^32-1: ?
	symbol TEXT,                    -- native function, or module+offset
	module TEXT,                    -- file that it is in
	symbol_is_function INTEGER NOT NULL,
	sweep INTEGER NOT NULL,         -- the same instruction came here from the page beside it
	insn TEXT NOT NULL,             -- kind of the instruction
	insn_width INTEGER NOT NULL,    -- bytes that it writes
	insn_source TEXT NOT NULL,
	insn_register INTEGER NOT NULL,
	insn_high INTEGER NOT NULL,
	insn_lock INTEGER NOT NULL,
	insn_base INTEGER NOT NULL,
	insn_index INTEGER NOT NULL,
	insn_stack INTEGER NOT NULL,
	insn_length INTEGER NOT NULL,
	insn_displacement INTEGER NOT NULL,
	insn_immediate INTEGER NOT NULL,
	has_old INTEGER NOT NULL,       -- old_value is known
	has_new INTEGER NOT NULL,       -- new_value is known
	has_window INTEGER NOT NULL,    -- window is known
	-- the Python
	python INTEGER NOT NULL,        -- there is one that is explained
	no_python INTEGER NOT NULL,     -- there is none of any version
	free_threaded INTEGER NOT NULL,
	debug_build INTEGER NOT NULL,
	python_version INTEGER NOT NULL, -- major * 256 + minor
	unwind TEXT NOT NULL,           -- how its stack was found, if fact.stack is NULL
	gc_collecting INTEGER NOT NULL,
	has_opcode INTEGER NOT NULL,
	opcode INTEGER NOT NULL,        -- bytecode that was being executed
	opcode_kind TEXT NOT NULL,
	-- the place
	region TEXT NOT NULL,           -- kind of the mapping
	region_name TEXT,
	datastack INTEGER NOT NULL,
	interpreter INTEGER NOT NULL,   -- the state of an interpreter or a thread
	allocator TEXT NOT NULL,        -- whose block it is
	content TEXT NOT NULL,          -- what is in the block
	block_header INTEGER NOT NULL,
	block_free INTEGER NOT NULL,
	shared_keys INTEGER NOT NULL,
	in_code INTEGER NOT NULL,       -- in a code object
	code_on_stack INTEGER NOT NULL,
	in_bytecode INTEGER NOT NULL,
	type_at_refcount INTEGER,       -- type.id, if an object could begin there:
	type_at_gc_prev INTEGER,        -- 8 bytes behind the address
	type_at_gc_next INTEGER,        -- 16
	type_at_pre_24 INTEGER,
	type_at_pre_32 INTEGER,
	object_type INTEGER,            -- type.id of the object that it is in
	object_dead INTEGER NOT NULL,
	doubtful INTEGER NOT NULL,      -- block and object were read in an ancestor
	old_refers INTEGER NOT NULL,    -- the old value is a reference to an object
	new_refers INTEGER NOT NULL,
	new_is_type INTEGER NOT NULL,
	old_link TEXT NOT NULL,
	field TEXT NOT NULL,            -- kind of the field
	field_name TEXT,
	field_width INTEGER NOT NULL,
	-- of the first copy
	addr INTEGER NOT NULL,          -- all addresses and values: 64 bits, may look negative
	ip INTEGER NOT NULL,
	sp INTEGER NOT NULL,
	thread_pointer INTEGER NOT NULL,
	oparg INTEGER NOT NULL,
	instr INTEGER NOT NULL,
	old_value INTEGER NOT NULL,
	new_value INTEGER NOT NULL,
	region_start INTEGER NOT NULL,
	region_end INTEGER NOT NULL,
	block_start INTEGER NOT NULL,
	block_size INTEGER NOT NULL,
	code_offset INTEGER NOT NULL,
	object_address INTEGER NOT NULL,
	field_offset INTEGER NOT NULL,
	field_empty INTEGER NOT NULL,
	window BLOB NOT NULL            -- 9 words around it, from 24 bytes in front of it on
);

-- One kind of copy: who, where, what.
CREATE TABLE fact (
	id INTEGER PRIMARY KEY,
	process INTEGER NOT NULL,       -- process.id
	thread INTEGER NOT NULL,
	stack INTEGER,                  -- stack.id; NULL: no Python stack
	evidence INTEGER NOT NULL,      -- evidence.id
	first_page INTEGER NOT NULL     -- what copy.page counts from
);

-- Each copy, in the order in which they came.
CREATE TABLE copy (
	fact INTEGER NOT NULL,          -- fact.id
	time INTEGER NOT NULL,          -- us from capture.base_time
	page INTEGER NOT NULL           -- number of the page - fact.first_page
);

-- Space for the last words where a disk is full; empty in a finished file.
CREATE TABLE room (bytes BLOB);

-- Who was forked by whom, when.
CREATE VIEW fork AS
SELECT child.id AS child, child.pid AS child_pid, child.ppid AS parent_pid,
	(SELECT parent.id FROM process AS parent
	 WHERE parent.pid = child.ppid AND parent.started <= child.started AND parent.id <> child.id
	 ORDER BY parent.started DESC LIMIT 1) AS parent,
	(child.started - ifnull(capture.start_time, capture.base_time)) / 1e9 AS seconds
FROM process AS child JOIN capture
WHERE child.forked;

-- One row for each fact, in words.
CREATE VIEW facts AS
SELECT fact.id AS fact, process.pid, process.command, fact.thread, site.file, site.line,
	ifnull(site.function, ifnull(evidence.symbol, evidence.syscall)) AS function,
	evidence.cause, evidence.detail, evidence.certainty, evidence.type, evidence.origin,
	fact.process, fact.stack, fact.evidence, fact.first_page
FROM fact
JOIN process ON process.id = fact.process
JOIN evidence ON evidence.id = fact.evidence
LEFT JOIN frame ON frame.stack = fact.stack AND frame.depth = 0
LEFT JOIN site ON site.id = frame.site;

-- One row for each copy, in words.
CREATE VIEW copies AS
SELECT copy.rowid AS number,
	(capture.base_time - ifnull(capture.start_time, capture.base_time)) / 1e9
		+ copy.time / 1e6 AS seconds,
	(facts.first_page + copy.page) * capture.page_size AS address,
	facts.*
FROM copy JOIN facts ON facts.fact = copy.fact JOIN capture;
