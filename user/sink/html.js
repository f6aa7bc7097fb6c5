// SPDX-License-Identifier: MIT
// The script of the HTML report: charts, the map of pages, and tables that sort and filter, out of
// the data that stands in the page. What was traced named much of it: it is only ever set as text.
(function () {
'use strict';
var SVG = 'http://www.w3.org/2000/svg';
var data = JSON.parse(document.getElementById('data').textContent);
var MIB = 1048576, PAGE = data.page, CAUSES = data.cause_names;
var UNIT = 4096 * data.map.unit; // bytes that one number of the map stands for
var FIRST_CHARTS = 9, FIRST_ROWS = 15;

function make(parent, name, text, attributes) {
	var element = document.createElement(name);
	if (text != null) element.textContent = text;
	for (var key in attributes || {}) element.setAttribute(key, attributes[key]);
	if (parent) parent.appendChild(element);
	return element;
}

function draw(parent, name, attributes, text) {
	var element = document.createElementNS(SVG, name);
	for (var key in attributes) element.setAttribute(key, attributes[key]);
	if (text != null) element.textContent = text;
	parent.appendChild(element);
	return element;
}

function byId(id) { return document.getElementById(id); }
function color(cause) { return 'var(--c-' + (CAUSES.indexOf(cause) < 0 ? 'unknown' : cause) + ')'; }
function count(n) { return Math.round(n).toLocaleString('en-US'); }
function bytes(n) {
	if (n == null) return '?';
	if (n < 1024 * 1024) return (n / 1024).toLocaleString('en-US', {maximumFractionDigits: 1}) + ' KiB';
	return (n / MIB).toLocaleString('en-US', {minimumFractionDigits: 1, maximumFractionDigits: 1}) + ' MiB';
}
function seconds(s) {
	if (s < 10) return +s.toPrecision(2) + ' s';
	if (s < 120) return Math.round(s) + ' s';
	if (s < 7200) return +(s / 60).toFixed(1) + ' min';
	return +(s / 3600).toFixed(1) + ' h';
}

// --- what the pointer is on ------------------------------------------------------------------------

var tip = byId('tip');
function show(event, text) {
	tip.textContent = text;
	tip.hidden = !text;
	var x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6);
	var y = event.clientY + 18;
	if (y + tip.offsetHeight > innerHeight) y = event.clientY - tip.offsetHeight - 10;
	tip.style.left = Math.max(4, x) + 'px';
	tip.style.top = y + 'px';
}
function hide() { tip.hidden = true; }

// --- charts over time ------------------------------------------------------------------------------

var W = 360, H = 150, LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 20;

function step(most) { // of a grid with at most four lines
	var unit = Math.pow(10, Math.floor(Math.log10(most || 1)));
	var factor = [0.25, 0.5, 1, 2, 2.5, 5].find(function (f) { return most / (unit * f) <= 4; });
	return unit * (factor || 10);
}

function axes(svg, wide, high, most, span) {
	var grid = step(most);
	for (var value = 0; value <= most * 1.001; value += grid) {
		var y = TOP + high * (1 - value / most);
		draw(svg, 'line', {class: 'grid', x1: LEFT, x2: LEFT + wide, y1: y, y2: y});
		draw(svg, 'text', {x: LEFT - 5, y: y + 4, 'text-anchor': 'end'}, +value.toPrecision(3));
	}
	draw(svg, 'text', {x: LEFT, y: TOP + high + 15}, '0');
	draw(svg, 'text', {x: LEFT + wide, y: TOP + high + 15, 'text-anchor': 'end'}, seconds(span));
	draw(svg, 'text', {x: LEFT + wide / 2, y: TOP + high + 15, 'text-anchor': 'middle'}, 'MiB over time');
}

// layers: [{color, values}], bottom first; each value belongs to the end of its bucket.
function stacked(svg, wide, high, most, layers, from) {
	var n = layers[0].values.length, base = new Array(n).fill(0);
	function x(i) { return LEFT + wide * i / (n - 1 || 1); }
	function y(v) { return TOP + high * (1 - Math.min(v, most) / most); }
	layers.forEach(function (layer) {
		var top = [], bottom = [];
		for (var i = from; i < n; i++) {
			bottom.unshift(x(i).toFixed(1) + ',' + y(base[i]).toFixed(1));
			base[i] += layer.values[i];
			top.push(x(i).toFixed(1) + ',' + y(base[i]).toFixed(1));
		}
		if (top.length) draw(svg, 'polygon', {points: top.concat(bottom).join(' '), fill: layer.color});
	});
}

function over(svg, wide, n, words) {
	svg.addEventListener('pointermove', function (event) {
		var box = svg.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
		var i = Math.round((at - LEFT) / wide * (n - 1));
		if (i < 0 || i >= n) return hide();
		show(event, words(i));
	});
	svg.addEventListener('pointerleave', hide);
}

// What a worker had at the end of each bucket: still shared (at most), copied, new.
function memory(series, n) {
	var process = data.processes[series.process];
	var then = process.shared_at_fork_bytes || 0, copied = 0, fresh = 0;
	var from = Math.max(0, Math.min(n - 1, Math.floor(process.forked_at_seconds / data.history.seconds)));
	var m = {process: process, from: from, shared: [], copied: [], fresh: []};
	for (var i = 0; i < n; i++) {
		copied += (series.copied[i] || 0) * PAGE;
		if (series.fresh && series.fresh[i] != null && series.fresh[i] >= 0) fresh = series.fresh[i];
		m.copied.push(copied / MIB);
		m.shared.push(Math.max(0, then - copied) / MIB);
		m.fresh.push(fresh / MIB);
	}
	m.most = Math.max.apply(null, m.copied.map(function (c, i) { return c + m.shared[i] + m.fresh[i]; }));
	return m;
}

function memoryChart(parent, m, most, n) {
	var figure = make(parent, 'figure'), p = m.process, last = n - 1;
	var caption = make(figure, 'figcaption');
	make(caption, 'b', p.command + (p.pid ? ' [' + p.pid + ']' : ''));
	make(caption, 'span', ' · ' + bytes(m.copied[last] * MIB) + ' copied' +
		(p.shared_at_fork_bytes ? ' of ' + bytes(p.shared_at_fork_bytes) + ' shared' : ''));
	var svg = draw(figure, 'svg', {viewBox: '0 0 ' + W + ' ' + H, role: 'img', 'aria-label':
		p.command + (p.pid ? ', process ' + p.pid : '') + ': at the end ' + bytes(m.shared[last] * MIB) + ' shared at most, ' +
		bytes(m.copied[last] * MIB) + ' copied, ' + bytes(m.fresh[last] * MIB) + ' new'});
	var wide = W - LEFT - RIGHT, high = H - TOP - BOTTOM;
	axes(svg, wide, high, most, n * data.history.seconds);
	stacked(svg, wide, high, most, [
		{color: 'var(--shared)', values: m.shared}, {color: 'var(--copied)', values: m.copied},
		{color: 'var(--fresh)', values: m.fresh}], m.from);
	over(svg, wide, n, function (i) {
		return 'after ' + seconds((i + 1) * data.history.seconds) + ': ' + bytes(m.shared[i] * MIB) + ' still shared, ' +
			bytes(m.copied[i] * MIB) + ' copied, ' + bytes(m.fresh[i] * MIB) + ' new';
	});
}

function legend(parent, items) {
	var list = make(parent, 'ul', null, {class: 'legend'});
	items.forEach(function (item) {
		var entry = make(list, 'li'), box = make(entry, 'i');
		box.style.background = item[1];
		entry.appendChild(document.createTextNode(item[0]));
	});
}

function memories() {
	var n = data.history.n, place = byId('memory');
	var all = data.history.series.map(function (s) { return memory(s, n); })
		.filter(function (m) { return m.process.forked && (m.process.shared_at_fork_bytes || m.process.copies); });
	if (data.processes.length && data.processes.every(function (p) { return !p.pid; })) return make(place, 'p',
		'Of services, Prometheus keeps the history: cowtrace_shared_bytes and its like, at /metrics.', {class: 'dim'});
	if (!n || !all.length) return make(place, 'p', 'No process was forked that shared memory.', {class: 'dim'});
	var most = Math.max.apply(null, all.map(function (m) { return m.most; })) || 1;
	all.sort(function (a, b) { return b.process.copied_bytes - a.process.copied_bytes; });
	legend(place, [['still shared, at most', 'var(--shared)'], ['copied', 'var(--copied)'], ['new', 'var(--fresh)']]);
	var charts = make(place, 'div', null, {class: 'charts'});
	function add(some) { some.forEach(function (m) { memoryChart(charts, m, most, n); }); }
	add(all.slice(0, FIRST_CHARTS));
	if (all.length > FIRST_CHARTS) {
		var more = make(place, 'button', 'show all ' + all.length + ' processes', {class: 'plain', type: 'button'});
		more.addEventListener('click', function () { more.remove(); add(all.slice(FIRST_CHARTS)); });
	}
	if (data.history.uncharted)
		make(place, 'p', count(data.history.uncharted) + ' later processes have no chart: there is room for the first ones.', {class: 'dim'});
}

function causesOverTime() {
	var n = data.history.n, place = byId('time'), wide = 1000, high = 220;
	var used = CAUSES.map(function (name, c) { return {name: name, values: data.history.by_cause[c]}; })
		.filter(function (c) { return c.values && c.values.some(Boolean); });
	if (!n || !used.length) return make(place, 'p', 'No page was copied.', {class: 'dim'});
	var totals = new Array(n).fill(0);
	used.forEach(function (c) { c.values.forEach(function (v, i) { totals[i] += v; }); });
	var most = Math.max.apply(null, totals) * PAGE / MIB || 1;
	legend(place, used.map(function (c) { return [c.name, color(c.name)]; }));
	var figure = make(place, 'figure');
	var svg = draw(figure, 'svg', {viewBox: '0 0 ' + (wide + LEFT + RIGHT) + ' ' + (high + TOP + BOTTOM), role: 'img',
		'aria-label': 'Copied memory over time, by cause; the table of causes has the sums'});
	axes(svg, wide, high, most, n * data.history.seconds);
	for (var i = 0; i < n; i++) {
		var y = TOP + high;
		used.forEach(function (c) {
			var h = high * (c.values[i] || 0) * PAGE / MIB / most;
			if (!h) return;
			y -= h;
			draw(svg, 'rect', {x: (LEFT + wide * i / n).toFixed(2), y: y.toFixed(2), width: Math.max(wide / n - 0.4, 0.6).toFixed(2),
				height: h.toFixed(2), fill: color(c.name)});
		});
	}
	over(svg, wide, n + 1, function (i) {
		i = Math.min(i, n - 1);
		var words = used.filter(function (c) { return c.values[i]; })
			.map(function (c) { return c.name + ' ' + bytes(c.values[i] * PAGE); });
		return 'from ' + seconds(i * data.history.seconds) + ': ' + (words.join(', ') || 'nothing');
	});
	make(figure, 'figcaption', 'Each bar is ' + seconds(data.history.seconds) + ' wide.');
}

// --- the map of pages ------------------------------------------------------------------------------

// runs: base64 of varints: see html.h
function unpack(text) {
	var raw = atob(text), at = 0, page = 0, runs = [];
	function number() {
		var value = 0, factor = 1, byte;
		do {
			byte = raw.charCodeAt(at++);
			value += (byte & 127) * factor;
			factor *= 128;
		} while (byte & 128);
		return value;
	}
	while (at < raw.length) {
		page += number();
		var length = number(), what = number();
		runs.push({page: page, n: length, cause: what & 15, copies: Math.pow(2, (what >> 4) & 15), name: data.map.names[what >> 8]});
		page += length;
	}
	return runs;
}

// Neighbours belong together; a gap of more than 256 pages begins another part.
function parts(runs) {
	var found = [], part = null;
	runs.forEach(function (run) {
		if (!part || run.page - part.end > 256 || run.name !== part.name)
			found.push(part = {start: run.page, end: run.page, runs: [], copied: 0, name: run.name});
		part.runs.push(run);
		part.end = run.page + run.n;
		part.copied += run.n;
	});
	return found;
}

function fill(canvas, part, cells, columns) {
	var scale = part.scale, context = canvas.getContext('2d'), style = getComputedStyle(document.documentElement);
	var palette = CAUSES.map(function (c) { return style.getPropertyValue('--c-' + c).trim(); });
	var free = style.getPropertyValue('--free').trim();
	context.clearRect(0, 0, canvas.width, canvas.height);
	for (var i = 0; i < cells.length; i++) {
		context.globalAlpha = cells[i] ? 0.35 + 0.65 * Math.min(1, cells[i].n / scale) : 1;
		context.fillStyle = cells[i] ? palette[cells[i].cause] || palette[palette.length - 1] : free;
		context.fillRect(i % columns * 4, Math.floor(i / columns) * 4, 3, 3);
	}
	context.globalAlpha = 1;
}

function cellsOf(part) {
	var cells = new Array(Math.ceil((part.end - part.start) / part.scale));
	part.runs.forEach(function (run) {
		for (var page = run.page; page < run.page + run.n; page++) {
			var at = Math.floor((page - part.start) / part.scale);
			if (!cells[at]) cells[at] = {n: 0, copies: 0, by: {}};
			cells[at].n++;
			cells[at].copies += run.copies;
			cells[at].by[run.cause] = (cells[at].by[run.cause] || 0) + 1;
		}
	});
	cells.forEach(function (cell) {
		cell.cause = +Object.keys(cell.by).sort(function (a, b) { return cell.by[b] - cell.by[a]; })[0];
	});
	return cells;
}

function region(place, part, redraw) {
	var pages = part.end - part.start, box = make(place, 'div', null, {class: 'region'});
	part.scale = Math.max(1, Math.pow(2, Math.ceil(Math.log2(pages / 24000))));
	var columns = Math.max(60, Math.min(300, Math.floor(place.clientWidth / 4)));
	var cells = cellsOf(part), title = make(box, 'h3');
	make(title, 'span', part.name, {class: 'mono'});
	make(title, 'span', ' · ' + bytes(part.copied * UNIT) + ' of ' + bytes(pages * UNIT) + ' copied, from 0x' +
		(part.start * UNIT).toString(16) + (part.scale * UNIT > 4096 ? ' · ' + bytes(part.scale * UNIT) + ' in a square' : ''), {class: 'dim'});
	var canvas = make(box, 'canvas', null, {role: 'img', 'aria-label': part.name + ': ' + bytes(part.copied * UNIT) + ' of ' +
		bytes(pages * UNIT) + ' were copied'});
	canvas.width = columns * 4;
	canvas.height = Math.ceil(cells.length / columns) * 4;
	canvas.style.maxWidth = columns * 4 + 'px';
	fill(canvas, part, cells, columns);
	redraw.push(function () { fill(canvas, part, cells, columns); });
	canvas.addEventListener('pointermove', function (event) {
		var r = canvas.getBoundingClientRect(), f = canvas.width / r.width;
		var at = Math.floor((event.clientY - r.top) * f / 4) * columns + Math.floor((event.clientX - r.left) * f / 4);
		var cell = cells[at], where = '0x' + ((part.start + at * part.scale) * UNIT).toString(16);
		if (at >= cells.length) return hide();
		show(event, cell ? where + ': ' + Object.keys(cell.by).map(function (c) { return CAUSES[c] + ' ' + count(cell.by[c]); }).join(', ') +
			(cell.n > 1 ? ' pages' : ' page') + ', copied ' + count(cell.copies) + (cell.copies === 1 ? ' time' : ' times') :
			where + ': not copied');
	});
	canvas.addEventListener('pointerleave', hide);
}

function map() {
	var place = byId('map'), redraw = [], FIRST = 12;
	var all = parts(unpack(data.map.runs));
	if (!all.length) return make(place, 'p', 'No page was copied.', {class: 'dim'});
	legend(place, CAUSES.filter(function (name, c) { return all.some(function (p) { return p.runs.some(function (r) { return r.cause === c; }); }); })
		.map(function (name) { return [name, color(name)]; }).concat([['not copied', 'var(--free)']]));
	all.sort(function (a, b) { return b.copied - a.copied || a.start - b.start; });
	all.slice(0, FIRST).forEach(function (part) { region(place, part, redraw); });
	if (all.length > FIRST) {
		var more = make(place, 'button', 'show ' + (all.length - FIRST) + ' smaller parts', {class: 'plain', type: 'button'});
		more.addEventListener('click', function () { more.remove(); all.slice(FIRST).forEach(function (part) { region(place, part, redraw); }); });
	}
	if (data.map.beyond)
		make(place, 'p', count(data.map.beyond) + ' copies are of pages that are not on the map: it has room for a million pages.', {class: 'dim'});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', function () { redraw.forEach(function (f) { f(); }); });
}

// --- tables ----------------------------------------------------------------------------------------

// columns: {title, of(row), number, show(cell, row), first}; rows come sorted by the one that is first, or else by
// the first number
function table(id, title, columns, rows, total) {
	var place = byId(id), sorted = columns.findIndex(function (c) { return c.first; }), down = true, words = '', all = false;
	if (sorted < 0) sorted = columns.findIndex(function (c) { return c.number; });
	var tools = make(place, 'div', null, {class: 'tools'});
	var label = make(tools, 'label', 'Filter '), input = make(label, 'input', null, {type: 'search', 'aria-label': 'Filter ' + title});
	var said = make(tools, 'span', null, {class: 'dim', role: 'status'});
	var scroll = make(place, 'div', null, {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title});
	var tab = make(scroll, 'table'), head = make(make(tab, 'thead'), 'tr'), body = make(tab, 'tbody');
	var more = make(place, 'button', '', {class: 'plain', type: 'button'});
	columns.forEach(function (column, c) {
		var th = make(head, 'th', null, {scope: 'col', class: column.number ? 'n' : ''});
		var button = make(th, 'button', column.title, {type: 'button'});
		button.addEventListener('click', function () {
			down = sorted === c ? !down : !!column.number;
			sorted = c;
			render();
		});
	});
	function compare(a, b) {
		var x = columns[sorted].of(a), y = columns[sorted].of(b);
		var order = columns[sorted].number ? (x == null ? -1 : x) - (y == null ? -1 : y) : String(x).localeCompare(String(y));
		return down ? -order : order;
	}
	function render() {
		var wanted = rows.filter(function (row) {
			return !words || columns.some(function (c) { return String(c.of(row)).toLowerCase().indexOf(words) >= 0; });
		}).sort(compare);
		var shown = all ? wanted : wanted.slice(0, FIRST_ROWS);
		body.textContent = '';
		Array.prototype.forEach.call(head.children, function (th, c) {
			th.setAttribute('aria-sort', c !== sorted ? 'none' : down ? 'descending' : 'ascending');
		});
		shown.forEach(function (row) {
			var tr = make(body, 'tr');
			columns.forEach(function (column) {
				var td = make(tr, 'td', null, {class: column.number ? 'n' : 'name'});
				if (column.show) column.show(td, row); else td.textContent = column.number ? count(column.of(row)) : column.of(row);
			});
		});
		said.textContent = count(wanted.length) + (wanted.length === 1 ? ' row' : ' rows') +
			(total > rows.length ? ' of the ' + count(rows.length) + ' largest; the file of --json has all ' + count(total) : '');
		more.hidden = shown.length === wanted.length;
		more.textContent = 'show all ' + count(wanted.length) + ' rows';
	}
	more.addEventListener('click', function () { all = true; render(); });
	input.addEventListener('input', function () { words = input.value.toLowerCase(); render(); });
	render();
}

var mostBytes = Math.max(1, data.capture.copied_bytes);
var copied = {title: 'copied', number: true, of: function (r) { return r.copied_bytes; }, show: function (td, r) { td.textContent = bytes(r.copied_bytes); }};
var share = {title: 'share', number: true, of: function (r) { return r.copied_bytes; }, show: function (td, r) {
	td.textContent = (100 * r.copied_bytes / mostBytes).toFixed(1) + ' % ';
	var bar = make(td, 'span', null, {class: 'bar'});
	bar.style.width = (60 * r.copied_bytes / mostBytes).toFixed(1) + 'px';
	bar.style.background = r.cause ? color(r.cause) : 'var(--copied)';
}};
var pages = {title: 'copies', number: true, of: function (r) { return r.copies; }};
function plain(title, key) { return {title: title, of: function (r) { return r[key] == null ? '' : r[key]; }}; }
function amount(title, key) {
	return {title: title, number: true, of: function (r) { return r[key]; }, show: function (td, r) { td.textContent = bytes(r[key]); }};
}
var where = {title: 'line', of: function (r) {
	return r.file == null ? r.function : r.file + ':' + r.line + ' in ' + r.function + '()';
}, show: function (td, r) {
	td.textContent = this.of(r);
	if (r.source) make(td, 'small', r.source);
}};

// --- what changed since an older run ---------------------------------------------------------------

function sign(n) { return (n < 0 ? '-' : n ? '+' : '') + bytes(Math.abs(n)); }
function percentOf(r) {
	var then = r.older_bytes_per_worker, now = r.newer_bytes_per_worker;
	if (r.state === 'appeared') return 'new';
	if (r.state === 'same' || r.state === 'gone') return r.state;
	if (now >= 10 * then) return 'x ' + Math.round(now / then);
	var percent = 100 * (now - then) / then;
	return (percent > 0 ? '+' : '') + (Math.abs(percent) < 10 ? percent.toFixed(1) : Math.max(-99, percent).toFixed(0)) + ' %';
}
var changes = [amount('then', 'older_bytes_per_worker'), amount('now', 'newer_bytes_per_worker'),
	// by its size, in whichever direction
	{title: 'change', number: true, first: true, of: function (r) { return Math.abs(r.change_bytes_per_worker); }, show: function (td, r) {
		var change = r.change_bytes_per_worker;
		make(td, 'span', sign(change), {class: r.state === 'same' ? 'dim' : change < 0 ? 'less' : 'more'});
	}},
	{title: '%', of: percentOf}];
var whereChanged = {title: 'line', of: function (r) { // what is gone, where it was
	return where.of(r.older_file && !r.newer_copies ? {file: r.older_file, line: r.older_line, function: r.function} : r);
}, show: function (td, r) {
	td.textContent = this.of(r);
	if (r.source) make(td, 'small', r.source.trim());
	if (r.older_file && r.newer_copies) make(td, 'small', 'was ' + (r.older_file === r.file ? 'line ' : r.older_file + ':') + r.older_line);
}};

function changed(baseline) {
	table('changed-causes', 'changed causes', [plain('cause', 'cause')].concat(changes), baseline.causes, 0);
	table('changed-sites', 'changed lines', [whereChanged, plain('cause', 'cause'), plain('type', 'type')].concat(changes), baseline.sites, 0);
	table('changed-types', 'changed types', [plain('type', 'type'), plain('cause', 'cause')].concat(changes), baseline.types, 0);
	table('changed-processes', 'changed processes', [{title: 'command', of: function (r) { return r.command + (r.workers ? ' workers' : ''); }},
		{title: 'how many', of: function (r) { return r.older_processes + ' then, ' + r.newer_processes + ' now'; }}].concat(changes),
	baseline.processes, 0);
}

if (data.baseline) changed(data.baseline);
memories();
causesOverTime();
map();
table('causes', 'causes', [plain('cause', 'cause'), plain('detail', 'detail'), plain('origin', 'origin'),
	plain('certainty', 'certainty'), copied, share, pages], data.causes, data.causes.length);
table('sites', 'lines', [where, plain('cause', 'cause'), plain('type', 'type'), copied, share, pages,
	{title: 'processes', number: true, of: function (r) { return r.processes; }}], data.sites, data.n_sites);
table('types', 'types', [plain('type', 'type'), plain('cause', 'cause'), copied, share, pages], data.types, data.types.length);
table('processes', 'processes', [plain('command', 'command'), {title: 'pid', number: true, of: function (r) { return r.pid; },
	show: function (td, r) { td.textContent = r.pid || ''; }}, plain('python', 'python'), amount('shared then', 'shared_at_fork_bytes'), copied,
	amount('shared now, at most', 'shared_now_bytes'), amount('new', 'new_bytes')], data.processes, data.n_processes);
document.documentElement.classList.add('ready');
}());
