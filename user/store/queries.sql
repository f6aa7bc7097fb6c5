-- SPDX-License-Identifier: MIT
-- How many copies are in the recording, of how many bytes? Is it whole?
SELECT count(*) AS copies, count(*) * page_size / 1048576.0 AS mib, finished FROM copy JOIN capture;

-- Which causes?
SELECT cause, certainty, count(*) AS copies FROM copies
GROUP BY cause, certainty ORDER BY copies DESC;

-- Which lines of Python?
SELECT file, line, function, cause, type, count(*) AS copies FROM copies
WHERE file IS NOT NULL
GROUP BY file, line, function, cause, type ORDER BY copies DESC LIMIT 20;

-- Which processes, and what do they still share?
SELECT process.pid, process.command, count(*) AS copies, shared_at_fork, shared_now
FROM copies JOIN process ON process.id = copies.process
GROUP BY process.id ORDER BY copies DESC;

-- Which processes were forked, when, and by whom?
SELECT parent_pid, child_pid, seconds FROM fork ORDER BY seconds;

-- How many copies in each second, by cause?
SELECT CAST(seconds AS INTEGER) AS second, cause, count(*) AS copies FROM copies
GROUP BY second, cause ORDER BY second, copies DESC;

-- Which pages did more than one process copy?
SELECT printf('%x', address) AS page, count(DISTINCT process) AS processes FROM copies
GROUP BY address HAVING processes > 1 ORDER BY processes DESC, address LIMIT 20;

-- How did the busiest line come to be called? Innermost frame first.
SELECT frame.depth, site.file, site.line, site.function
FROM frame JOIN site ON site.id = frame.site
WHERE frame.stack = (SELECT stack FROM copies WHERE stack IS NOT NULL
                     GROUP BY stack ORDER BY count(*) DESC LIMIT 1)
ORDER BY frame.depth;

-- What proves the causes? Address and values are those of the first copy of each kind.
SELECT cause, detail, evidence.type, insn, printf('%x', addr) AS address,
	printf('%x', old_value) AS old, printf('%x', new_value) AS new, count(*) AS copies
FROM copy JOIN fact ON fact.id = copy.fact JOIN evidence ON evidence.id = fact.evidence
GROUP BY evidence.id ORDER BY copies DESC LIMIT 20;

-- What is not in it? Copies that could not be looked at, or not be saved.
SELECT reason, copies FROM loss
UNION ALL
SELECT 'not saved', capture.copies - (SELECT count(*) FROM copy) FROM capture;
