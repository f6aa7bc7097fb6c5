// SPDX-License-Identifier: MIT
// The script inside the flame graph: lays it out for the width at hand, zooms, searches, shows
// details. It reads what stands in the document (class, data-s: start, data-b: bytes, title) and
// writes text only as text. Without it the picture is complete, but does not move.
(function () {
'use strict';
var SVG = 'http://www.w3.org/2000/svg', HTML = 'http://www.w3.org/1999/xhtml';
var MARGIN = 12, ROW = 19, LINE = 18, COLUMN = 6.7, PAD = 4, ITEM = 320, TIP_ROOM = 64;
var SHOWN = 0.3; // narrower frames are not drawn, pixels

var script = document.currentScript;
var svg = script && script.ownerSVGElement;
if (!svg) return;
var graph = svg.querySelector('.ct-graph'), legend = svg.querySelector('.ct-legend');
var frames = [], zoomed, current, width = 0, pattern = null, printing = false;

function make(ns, name, attributes, parent) {
	var element = document.createElementNS(ns, name);
	for (var key in attributes) element.setAttribute(key, attributes[key]);
	if (parent) parent.appendChild(element);
	return element;
}

// --- what the document says ------------------------------------------------------------------------

// As wide as in svg.c: from Hangul on, a character may need two columns.
function columns(text) {
	var n = 0;
	for (var c of text) n += c.codePointAt(0) < 0x1100 ? 1 : 2;
	return n;
}

function fit(text, room) {
	var used = 0, cut = '';
	if (room < 2) return '';
	if (columns(text) <= room) return text;
	for (var c of text) {
		used += columns(c);
		if (used >= room) break;
		cut += c;
	}
	return cut + '\u2026';
}

function readFrame(element, path) {
	var title = element.querySelector('title'), lines = title.textContent.split('\n');
	var frame = {
		element: element, text: element.querySelector('text'), kind: element.classList[1].slice(3),
		start: +element.dataset.s, bytes: +element.dataset.b,
		level: Math.round(+element.getAttribute('y') / ROW),
		name: lines[0], what: lines[1], numbers: lines[2], label: lines[0], cause: '', change: '', children: []
	};
	frame.end = frame.start + frame.bytes;
	if (frame.kind === 'python') frame.label += ' ' + frame.what.slice(frame.what.lastIndexOf('/') + 1);
	if (element.dataset.d) frame.label += '  ' + element.dataset.d;
	element.classList.forEach(function (c) {
		if (c.slice(0, 5) === 'ct-c-') frame.cause = c.slice(5);
		if (c.slice(0, 5) === 'ct-d-') frame.change = c.slice(5);
	});
	frame.parent = path[frame.level - 1] || null;
	if (frame.parent) frame.parent.children.push(frame);
	path.length = frame.level;
	path.push(frame);
	title.remove(); // the details are shown by tip, and a second box would lie over it
	element.setAttribute('role', 'treeitem');
	element.setAttribute('aria-level', frame.level + 1);
	frame.spoken = [frame.label, hasFile(frame) ? 'in ' + frame.what.replace(/[/][^/]*$/, '') : frame.what,
		frame.numbers].join(', ');
	element.setAttribute('aria-label', frame.spoken);
	element.setAttribute('tabindex', '-1');
	return frame;
}

function readFrames() {
	var path = [], map = new Map();
	graph.querySelectorAll('.ct-f').forEach(function (element) {
		var frame = readFrame(element, path);
		frames.push(frame);
		map.set(element, frame);
	});
	return map;
}

// --- tools -----------------------------------------------------------------------------------------

function makeTools() {
	var box = make(SVG, 'foreignObject', {x: MARGIN, y: 0, width: 100, height: 40});
	var div = make(HTML, 'div', {'class': 'ct-tools', role: 'search'}, box);
	svg.insertBefore(box, legend);
	return {
		box: box, div: div,
		input: make(HTML, 'input', {type: 'text', 'aria-label': 'Search functions, files, causes and types',
			placeholder: 'Search: text or /regex/', spellcheck: 'false', autocomplete: 'off',
			title: 'Key /. Text, /regular expression/, cause:NAME' + (frames[0].change ? ', change:more, change:less' : '') +
				'. Enter: to the largest match. Escape: clear'}, div),
		reset: make(HTML, 'button', {type: 'button', title: 'All copies, no search'}, div),
		output: make(HTML, 'output', {role: 'status', 'aria-live': 'polite'}, div)
	};
}

function makeTip() {
	var box = make(SVG, 'foreignObject', {'class': 'ct-tip ct-off', x: 0, y: 0, width: 10, height: 10}, svg);
	var div = make(HTML, 'div', {'aria-hidden': 'true'}, box);
	return {box: box, div: div, name: make(HTML, 'b', {}, div), what: make(HTML, 'span', {}, div),
		numbers: make(HTML, 'span', {}, div)};
}

var byElement = readFrames(), tools = makeTools(), tip = makeTip();
tools.reset.textContent = 'Reset';
zoomed = current = frames[0];

// --- layout ----------------------------------------------------------------------------------------

// Breaks a line of the head at its spaces. Returns how many lines it needs.
function wrap(text, room) {
	var words = (text.dataset.full || (text.dataset.full = text.textContent)).split(' '), n = 1, before;
	var x = text.getAttribute('x'), part = make(SVG, 'tspan', {x: x}), most = Math.floor(room / 9);
	text.replaceChildren(part);
	words.forEach(function (word) {
		word = fit(word, most);
		before = part.textContent;
		part.textContent += (before ? ' ' : '') + word;
		if (before && part.getComputedTextLength() > room) {
			part.textContent = before;
			part = make(SVG, 'tspan', {x: x, dy: LINE}, text);
			part.textContent = word;
			n++;
		}
	});
	return n;
}

function layoutHead(room) {
	var y = 8;
	svg.querySelectorAll('.ct-line:not(.ct-footer)').forEach(function (line) {
		y += LINE;
		line.setAttribute('y', y);
		y += (wrap(line, room) - 1) * LINE + (line.classList.contains('ct-heading') ? 2 : 0);
	});
	if (printing) return y + 10;
	tools.box.setAttribute('y', y + 6);
	tools.box.setAttribute('width', room);
	tools.box.setAttribute('height', tools.div.offsetHeight);
	return y + 6 + tools.div.offsetHeight + 6;
}

function layoutLegend(y, room) {
	var items = legend.querySelectorAll('.ct-item'), perRow = Math.max(1, Math.floor(room / ITEM));
	items.forEach(function (item, i) {
		item.setAttribute('transform', 'translate(' + (MARGIN + i % perRow * (room / perRow)) + ' ' +
			Math.floor(i / perRow) * LINE + ')');
	});
	legend.setAttribute('transform', 'translate(0 ' + y + ')');
	return y + Math.ceil(items.length / perRow) * LINE + 8;
}

function placeFrame(frame, room) {
	var part = zoomed.bytes || 1, above = frame.start <= zoomed.start && frame.end >= zoomed.end && frame.level < zoomed.level;
	var x = above ? 0 : (frame.start - zoomed.start) / part * room, w = above ? room : frame.bytes / part * room;
	var inside = frame.start >= zoomed.start && frame.end <= zoomed.end && frame.level >= zoomed.level;
	if (!zoomed.bytes) w = room;
	frame.shown = above || inside && w >= SHOWN;
	frame.element.classList.toggle('ct-off', !frame.shown);
	frame.element.classList.toggle('ct-above', above);
	if (!frame.shown) return;
	frame.x = MARGIN + x;
	frame.width = w;
	frame.element.setAttribute('x', frame.x.toFixed(2));
	frame.element.setAttribute('width', w.toFixed(2));
	label(frame, fit(frame.label, Math.floor((w - 2 * PAD) / COLUMN)));
}

// What is cut is spoken, too: a name has to begin with what can be seen of it.
function label(frame, text) {
	frame.text.textContent = text;
	frame.element.setAttribute('aria-label', (text && text !== frame.label ? text + ', ' : '') + frame.spoken);
}

function layoutFrames(y, room) {
	var deepest = 0;
	frames.forEach(function (frame) {
		placeFrame(frame, room);
		if (frame.shown) deepest = Math.max(deepest, frame.level);
	});
	graph.setAttribute('transform', 'translate(0 ' + y + ')');
	return y + (deepest + 1) * ROW;
}

function layout() {
	var room, footer = svg.querySelector('.ct-footer'), height;
	width = Math.max(240, svg.getBoundingClientRect().width);
	room = width - 2 * MARGIN;
	// first the width: what is measured in between must not be scaled
	svg.setAttribute('viewBox', '0 0 ' + width + ' ' + (svg.viewBox.baseVal.height || 100));
	svg.style.height = svg.viewBox.baseVal.height + 'px';
	graph.top = layoutLegend(layoutHead(room), room);
	height = layoutFrames(graph.top, room) + LINE;
	footer.setAttribute('y', height);
	height += printing ? MARGIN : TIP_ROOM;
	svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
	svg.style.height = height + 'px';
	hideTip();
}

// --- details ---------------------------------------------------------------------------------------

function hideTip() {
	tip.box.classList.add('ct-off');
}

function percent(part, whole) {
	var p = whole ? 100 * part / whole : 0;
	return part && p < 0.05 ? '<0.1 %' : p.toFixed(1) + ' %';
}

function showTip(frame, x) {
	var room = Math.min(420, width - 16), left, top, box;
	tip.name.textContent = frame.name;
	tip.what.textContent = frame.what;
	tip.numbers.textContent = frame.numbers +
		(zoomed !== frames[0] && frame.level >= zoomed.level ? '; ' + percent(frame.bytes, zoomed.bytes) + ' of what is shown' : '');
	tip.box.classList.remove('ct-off');
	tip.box.setAttribute('width', room);
	tip.box.setAttribute('height', 10);
	box = tip.div.getBoundingClientRect();
	left = Math.max(8, Math.min(x + 12, width - box.width - 8));
	top = graph.top + (frame.level + 1) * ROW + 4;
	if (top + box.height > svg.viewBox.baseVal.height) top = graph.top + frame.level * ROW - box.height - 5;
	tip.box.setAttribute('x', left);
	tip.box.setAttribute('y', Math.max(0, top));
	tip.box.setAttribute('width', Math.ceil(box.width));
	tip.box.setAttribute('height', Math.ceil(box.height));
}

// --- search ----------------------------------------------------------------------------------------

// A function that says whether a frame matches, or null for no search; throws on a wrong regex.
function compile(text) {
	var regex, lower = text.toLowerCase();
	if (!text) return null;
	if (lower.slice(0, 6) === 'cause:')
		return function (frame) { return frame.cause === lower.slice(6).trim(); };
	if (lower.slice(0, 7) === 'change:')
		return function (frame) { return !!frame.change && frame.change.indexOf(lower.slice(7).trim()) === 0; };
	if (text.length > 2 && text[0] === '/' && text[text.length - 1] === '/') {
		regex = new RegExp(text.slice(1, -1), 'iu');
		return function (frame) { return regex.test(frame.name) || hasFile(frame) && regex.test(frame.what); };
	}
	return function (frame) {
		return frame.name.toLowerCase().includes(lower) || hasFile(frame) && frame.what.toLowerCase().includes(lower);
	};
}

function hasFile(frame) {
	return frame.kind === 'python';
}

// Frames stand in order of their start, parents first: what is matched twice is counted once.
function search() {
	var n = 0, bytes = 0, covered = -1;
	svg.classList.toggle('ct-searching', !!pattern);
	frames.forEach(function (frame) {
		frame.hit = !!pattern && frame.kind !== 'rest' && pattern(frame);
		frame.element.classList.toggle('ct-hit', frame.hit);
		if (!frame.hit || frame.start < zoomed.start || frame.end > zoomed.end) return;
		n++;
		if (frame.start < covered) return;
		bytes += frame.bytes;
		covered = frame.end;
	});
	tools.output.textContent = !pattern ? '' : 'matched: ' + percent(bytes, zoomed.bytes) +
		(zoomed === frames[0] ? '' : ' of what is shown') + ', ' + n + (n === 1 ? ' frame' : ' frames');
}

function setSearch(text) {
	var wrong = '';
	try {
		pattern = compile(text);
	} catch (error) {
		pattern = null;
		wrong = 'not a regular expression';
	}
	tools.input.value = text;
	tools.input.setAttribute('aria-invalid', wrong ? 'true' : 'false');
	search();
	if (wrong) tools.output.textContent = wrong;
	layout();
}

function goToLargest() {
	var best = null;
	frames.forEach(function (frame) {
		if (frame.hit && (!best || frame.bytes > best.bytes)) best = frame;
	});
	if (!best) return;
	if (!best.shown) zoom(best);
	focus(best);
}

// --- moving ----------------------------------------------------------------------------------------

function setCurrent(frame) {
	current.element.setAttribute('tabindex', '-1');
	current = frame;
	current.element.setAttribute('tabindex', '0');
}

function focus(frame) {
	setCurrent(frame);
	frame.element.focus();
}

function zoom(frame) {
	zoomed = frame.kind === 'rest' ? frame.parent : frame;
	search();
	layout();
	if (!current.shown) setCurrent(zoomed);
}

// The next frame of the same level, in direction 1 or -1.
function neighbour(frame, direction) {
	for (var i = frames.indexOf(frame) + direction; i >= 0 && i < frames.length; i += direction)
		if (frames[i].shown && frames[i].level === frame.level) return frames[i];
	return null;
}

function firstShown(list) {
	return list.find(function (frame) { return frame.shown; }) || null;
}

function keyInGraph(event) {
	var to = null;
	switch (event.key) {
	case 'Enter': case ' ': zoom(current); focus(current); showTip(current, current.x); break;
	case 'ArrowDown': to = firstShown(current.children); break;
	case 'ArrowUp': to = current.parent; break;
	case 'ArrowLeft': to = neighbour(current, -1); break;
	case 'ArrowRight': to = neighbour(current, 1); break;
	case 'Home': to = frames[0]; break;
	default: return;
	}
	event.preventDefault();
	if (to) focus(to);
}

function escape() {
	if (zoomed !== frames[0]) zoom(frames[0]);
	else if (pattern || tools.input.value) setSearch('');
	hideTip();
}

function key(event) {
	if (event.ctrlKey || event.altKey || event.metaKey) return;
	if (event.target === tools.input) {
		if (event.key === 'Enter') goToLargest();
		if (event.key === 'Escape') setSearch('');
	} else if (event.key === 'Escape') {
		escape();
	} else if (event.key === '/') {
		tools.input.focus();
		event.preventDefault();
	} else if (event.target.closest && event.target.closest('.ct-item')) {
		if (event.key === 'Enter' || event.key === ' ') pick(event.target.closest('.ct-item'), event);
	} else if (byElement.has(event.target)) {
		keyInGraph(event);
	}
}

function pick(item, event) {
	var wanted = item.dataset.search;
	setSearch(tools.input.value === wanted ? '' : wanted);
	event.preventDefault();
}

function frameOf(event) {
	var element = event.target.closest && event.target.closest('.ct-f');
	return element ? byElement.get(element) : null;
}

function place(event) {
	return event.clientX - svg.getBoundingClientRect().left;
}

// --- start -----------------------------------------------------------------------------------------

graph.setAttribute('role', 'tree');
graph.setAttribute('aria-label', 'Flame graph. Arrow keys move, Enter zooms, Escape goes back.');
svg.setAttribute('role', 'group');
svg.setAttribute('aria-label', svg.querySelector('title').textContent);
svg.classList.add('ct-live');
setCurrent(current);
legend.setAttribute('role', 'group');
legend.setAttribute('aria-label', (frames[0].change ? 'Changes' : 'Causes') + ': choose one to see where it happens');
legend.querySelectorAll('.ct-item').forEach(function (item) {
	item.setAttribute('role', 'button');
	item.setAttribute('tabindex', '0');
	item.setAttribute('aria-label', 'Show ' + item.textContent);
});

graph.addEventListener('click', function (event) {
	var frame = frameOf(event);
	if (!frame) return;
	setCurrent(frame);
	zoom(frame);
});
graph.addEventListener('mousemove', function (event) {
	var frame = frameOf(event);
	if (frame) showTip(frame, place(event));
});
graph.addEventListener('mouseleave', hideTip);
// On the document: Chromium lets an SVG element that listens for focus have it.
document.addEventListener('focusin', function (event) {
	var frame = byElement.get(event.target);
	if (frame && frame.shown) showTip(frame, frame.x);
});
document.addEventListener('focusout', hideTip);
legend.addEventListener('click', function (event) {
	var item = event.target.closest('.ct-item');
	if (item) pick(item, event);
});
svg.addEventListener('keydown', key);
tools.input.addEventListener('input', function () { setSearch(tools.input.value); });
tools.reset.addEventListener('click', function () { zoom(frames[0]); setSearch(''); });
if (svg.parentNode === document) document.addEventListener('keydown', function (event) {
	if (!svg.contains(event.target) || event.target === svg) key(event);
});
['beforeprint', 'afterprint'].forEach(function (event) {
	window.addEventListener(event, function () {
		printing = event === 'beforeprint';
		layout();
	});
});
layout();
new ResizeObserver(function () {
	if (Math.abs(svg.getBoundingClientRect().width - width) > 0.5) layout();
}).observe(svg);
})();
