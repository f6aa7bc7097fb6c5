// SPDX-License-Identifier: MIT
// The report as a page: opened, sorted, filtered, pointed at; in both themes, wide and narrow, without script.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import test from 'node:test';

import { CASES, faults, file, report, screenshot, sum, THEMES, WIDTHS, withPage } from './tools.mjs';

const withReport = (name, options, use) => withPage('file://' + file(name + '.html'), options, use);
const rows = (page, id) => page.locator(`#${id} tbody tr`);
const cells = (page, id, column) => page.locator(`#${id} tbody td:nth-child(${column})`).allTextContents();

test('html: every case opens without an error, in both themes and widths, and never wider than the window', async () => {
	for (const name of CASES)
		for (const theme of THEMES)
			for (const width of WIDTHS)
				await withReport(name, { theme, width }, async (page) => {
					assert.ok(await page.evaluate(() => document.documentElement.classList.contains('ready')), name);
					const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
					assert.ok(wide <= room, `${name}: ${wide} px in a window of ${room}`);
					if (name === 'gunicorn') await screenshot(page, `html-${theme}-${width}`);
				});
});

test('html: the tables say what the JSON says', async () => {
	const told = report('gunicorn');
	await withReport('gunicorn', {}, async (page) => {
		assert.equal(await rows(page, 'causes').count(), told.causes.length);
		assert.equal(await rows(page, 'processes').count(), told.processes.length);
		const copies = (await cells(page, 'causes', 7)).map((text) => +text.replaceAll(',', ''));
		assert.equal(copies.reduce((a, b) => a + b, 0), told.capture.copies);
		const mib = (sum(told.causes) / 1048576).toFixed(1);
		assert.match(await page.locator('.tiles li').first().textContent(), new RegExp('^' + mib.replace('.', '\\.')));
	});
});

test('html: a click sorts, a second one the other way round; the filter leaves what fits', async () => {
	await withReport('gunicorn', {}, async (page) => {
		const head = page.locator('#sites th').nth(0);
		await head.locator('button').click();
		assert.equal(await head.getAttribute('aria-sort'), 'ascending');
		const up = await cells(page, 'sites', 1);
		assert.deepEqual(up, [...up].sort((a, b) => a.localeCompare(b)));
		await head.locator('button').click();
		assert.deepEqual(await cells(page, 'sites', 1), up.reverse());
		const all = await rows(page, 'sites').count();
		await page.locator('#sites input').fill('kernel-write');
		const left = await cells(page, 'sites', 2);
		assert.ok(left.length > 0 && left.length < all);
		assert.deepEqual([...new Set(left)], ['kernel-write']);
		await page.locator('#sites input').fill('nothing is called so');
		assert.equal(await rows(page, 'sites').count(), 0);
		assert.equal(await page.locator('#sites [role=status]').textContent(), '0 rows');
	});
});

test('html: long tables show their beginning, and all when asked', async () => {
	await withReport('many', {}, async (page) => {
		const shown = await rows(page, 'sites').count();
		await page.locator('#sites > button').click();
		assert.ok(await rows(page, 'sites').count() > shown);
		assert.ok(await page.locator('#sites > button').isHidden());
	});
});

test('html: what the pointer is on', async () => {
	await withReport('gunicorn', {}, async (page) => {
		await page.locator('#memory svg').first().hover();
		assert.match(await page.locator('#tip').textContent(), /^after .*MiB still shared, .*copied, .*new$/);
		await page.locator('#map canvas').first().hover({ position: { x: 1, y: 1 } });
		assert.match(await page.locator('#tip').textContent(), /^0x[0-9a-f]+: .*cop(y|ied)/);
		await page.mouse.move(0, 0);
		assert.ok(await page.locator('#tip').isHidden());
	});
});

test('html: the flame graph in it can be searched', async () => {
	await withReport('gunicorn', {}, async (page) => {
		await page.locator('.ct-tools input').fill('dict');
		assert.match(await page.locator('.ct-tools output, output').first().textContent(), /^matched: /);
	});
});

test('html: without script it still says what matters', async () => {
	await withReport('gunicorn', { script: false }, async (page) => {
		assert.match(await page.locator('pre').textContent(), /SHARING BROKEN/);
		assert.equal(await page.locator('.ct-f.ct-all').count(), 1);
		assert.ok(await page.locator('noscript p').isVisible());
	});
});

test('html: axe finds no serious fault', async () => {
	for (const theme of THEMES)
		for (const name of ['gunicorn', 'markup', 'empty'])
			await withReport(name, { theme }, async (page) => assert.deepEqual(await faults(page), []));
});

test('html: at most 5 MB', () => {
	for (const name of CASES) assert.ok(statSync(file(name + '.html')).size < 5_000_000, name);
});
