// SPDX-License-Identifier: MIT
// The browser, the files that build/render has written, and what the tests share.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
export const work = path.join(root, 'build', 'web');
export const require = createRequire(path.join(work, 'here.js'));
const { chromium } = require('playwright-core');

export const CASES = ['gunicorn', 'empty', 'nothing_shared', 'loaded_after_fork', 'hostile', 'losses',
	'unsupported', 'noted', 'no_python', 'cut_off', 'markup', 'long', 'deep', 'many', 'full'];
// Two runs, compared; the report is that of the newer one.
export const PAIRS = ['next_release', 'last_release', 'unchanged', 'first_workers', 'not_alike', 'hostile_again', 'nothing_left',
	'markup_again', 'long_again', 'many_again'];
export const THEMES = ['light', 'dark'];
export const WIDTHS = [1280, 400];
export const HEIGHT = 800;

export const file = (name) => path.join(work, 'files', name);
export const report = (name) => JSON.parse(readFileSync(file(name + '.json'), 'utf8'));

// What has no browser to itself needs one all the same: root has no sandbox, and no machine here has a GPU.
const browser = await chromium.launch({
	executablePath: process.env.COWTRACE_BROWSER,
	args: ['--no-sandbox', '--disable-dev-shm-usage', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
after(() => browser.close());

// Opens a page, calls use(page), and sees to it that nothing went wrong meanwhile and that nothing was loaded but
// what allowed says.
export async function withPage(url, options, use, allowed = (request) => request === url) {
	const { width = 1280, theme = 'light', script = true } = options;
	const context = await browser.newContext({
		viewport: { width, height: HEIGHT }, colorScheme: theme, javaScriptEnabled: script });
	context.setDefaultTimeout(180_000); // a machine that is busy is no fault
	const page = await context.newPage();
	const wrong = [];
	page.on('console', (message) => {
		if (['error', 'warning'].includes(message.type())) wrong.push(message.text());
	});
	page.on('pageerror', (error) => wrong.push(String(error)));
	page.on('dialog', (dialog) => { wrong.push('dialog ' + dialog.message()); dialog.dismiss(); });
	page.on('request', (request) => {
		if (!allowed(request.url())) wrong.push('request ' + request.url().slice(0, 200));
	});
	try {
		await page.goto(url);
		await use(page);
		if (script) assert.equal(await page.evaluate(() => window.owned), undefined, 'a name was executed');
	} finally {
		await context.close();
	}
	assert.deepEqual(wrong, []);
}

export const withFlame = (name, options, use) => withPage('file://' + file(name + '.svg'), options, use);

// Bytes of stacks, over the rows of a table of the report.
export const sum = (rows, key = 'copied_bytes') => rows.reduce((total, row) => total + row[key], 0);

export async function screenshot(page, name) {
	await page.screenshot({ path: path.join(work, 'screenshots', name + '.png') });
}

// What axe has to say.
export const faults = async (page) => {
	await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
	const { violations } = await page.evaluate(() => window.axe.run(document));
	return violations.filter((v) => ['serious', 'critical'].includes(v.impact))
		.map((v) => `${v.id}: ${v.help}: ${v.nodes[0].html.slice(0, 150)}`);
};

// Of what is really drawn: axe does not look at text in SVG.
export const contrasts = () => {
	const parse = (color) => color.match(/[\d.]+/g).map(Number);
	const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
	const paper = parse(getComputedStyle(document.querySelector('.ct-paper')).fill);
	const result = {};
	for (const frame of document.querySelectorAll('.ct-f')) {
		const rect = getComputedStyle(frame.querySelector('rect')), fill = parse(rect.fill), alpha = +rect.fillOpacity;
		const ground = fill.slice(0, 3).map((v, i) => v * alpha + paper[i] * (1 - alpha));
		result[frame.getAttribute('class')] = ratio(parse(getComputedStyle(frame.querySelector('text')).fill), ground);
	}
	for (const line of document.querySelectorAll('.ct-line, .ct-legend text, .ct-legend .ct-name'))
		result[line.getAttribute('class') || 'legend'] = ratio(parse(getComputedStyle(line).fill), paper);
	return result;
};
