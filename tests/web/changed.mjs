// SPDX-License-Identifier: MIT
// Two runs compared: the differential flame graph, and the part of the page that says what changed.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import test from 'node:test';

import { contrasts, faults, file, PAIRS, report, screenshot, THEMES, WIDTHS, withFlame, withPage } from './tools.mjs';

const withReport = (name, options, use) => withPage('file://' + file(name + '.html'), options, use);
const baseline = (name) => report(name).baseline;
const perWorker = (name) => baseline(name).total.newer_bytes_per_worker;

// Runs in the page: what each frame says, by class, name and numbers.
const readFrames = () => [...document.querySelectorAll('.cowtrace-flame .ct-f')].map((f) => {
	const change = [...f.classList].find((c) => c.startsWith('ct-d-'));
	return {
		label: f.querySelector('text').textContent, all: f.getAttribute('aria-label'), change: change && change.slice(5),
		gone: f.classList.contains('ct-no-longer'), part: f.classList.contains('ct-part'), said: f.dataset.d || '',
		bytes: +f.dataset.b, x: +f.getAttribute('x'), width: +f.getAttribute('width'),
		text: f.querySelector('text').getComputedTextLength(), shown: getComputedStyle(f).display !== 'none',
		hit: f.classList.contains('ct-hit'), dashes: getComputedStyle(f.querySelector('rect')).strokeDasharray,
	};
});

for (const name of PAIRS)
	test(`changed ${name}: graph and page open in both themes and widths`, async () => {
		for (const theme of THEMES)
			for (const width of WIDTHS) {
				await withFlame(name, { theme, width }, async (page) => {
					const frames = await page.evaluate(readFrames);
					assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width);
					for (const f of frames.filter((f) => f.shown)) {
						assert.ok(f.label === '' || f.text <= f.width, `${f.label} runs out of its frame`);
						assert.ok(f.x + f.width <= width, `${f.label} runs out of the window`);
					}
					await screenshot(page, `${name}-${width}-${theme}`);
				});
				await withReport(name, { theme, width }, async (page) => {
					assert.ok(await page.evaluate(() => document.documentElement.classList.contains('ready')), name);
					assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width, name);
					if (name === 'next_release') await screenshot(page, `html-changed-${theme}-${width}`);
				});
			}
		assert.ok(statSync(file(name + '.html')).size < 5_000_000);
	});

test('changed: what is copied now is as wide as that, what is gone stands beside it', async () => {
	for (const name of ['next_release', 'last_release', 'unchanged', 'nothing_left'])
		await withFlame(name, {}, async (page) => {
			const frames = await page.evaluate(readFrames), { sites, total } = baseline(name);
			const parts = frames.filter((f) => f.part), now = parts.find((f) => !f.gone), less = parts.find((f) => f.gone);
			assert.ok(Math.abs((now ? now.bytes : 0) - perWorker(name)) <= sites.length, name);
			const shrunk = sites.filter((s) => ['less', 'gone'].includes(s.state))
				.reduce((sum, s) => sum - s.change_bytes_per_worker, 0);
			assert.ok(Math.abs((less ? less.bytes : 0) - shrunk) <= sites.length, name);
			assert.equal(frames[0].bytes, (now ? now.bytes : 0) + (less ? less.bytes : 0));
			assert.match(frames[0].all, /^all copies/);
			assert.equal(frames[0].change.replace(/[0-9]/, ''), total.state === 'gone' ? 'less' : total.state);
		});
});

test('changed: no frame says it by its colour alone', async () => {
	for (const name of ['next_release', 'last_release'])
		await withFlame(name, {}, async (page) => {
			for (const f of await page.evaluate(readFrames)) {
				assert.ok(f.gone === (f.dashes !== 'none'), `${f.all}: ${f.dashes}`);
				if (f.change === 'same') assert.ok(f.part || f.gone || f.said === '');
				else assert.match(f.said, /^([+-][\d.,]+ ([KM]iB|%)|[\d.,]+ [KM]iB|x \d+|new|gone)$/, f.all);
				assert.match(f.all, /[\d.,]+ [KM]iB then, [\d.,]+ [KM]iB now/);
				if (f.width > 300) assert.ok(f.label.endsWith(f.said), `${f.label} lacks ${f.said}`);
			}
		});
});

test('changed: legend and search find what has become more or less', async () => {
	await withFlame('last_release', {}, async (page) => {
		await page.locator('.ct-item[data-search="change:more3"]').click();
		assert.equal(await page.locator('.ct-tools input').evaluate((input) => input.value), 'change:more3');
		for (const f of await page.evaluate(readFrames)) assert.equal(f.hit, f.change === 'more3', f.all);
		await page.locator('.ct-tools input').fill('change:less');
		for (const f of await page.evaluate(readFrames)) assert.equal(f.hit, f.change.startsWith('less'), f.all);
		assert.match(await page.locator('.ct-tools output').textContent(), /^matched: /);
		await page.locator('.ct-tools input').fill('cause:mutation');
		assert.ok((await page.evaluate(readFrames)).some((f) => f.hit && f.gone));
	});
});

test('changed: zoom, and the details of what is gone', async () => {
	await withFlame('next_release', {}, async (page) => {
		const gone = page.locator('.ct-f.ct-part.ct-no-longer');
		await gone.click();
		const frames = await page.evaluate(readFrames), part = frames.find((f) => f.part && f.gone);
		assert.equal(part.width, frames[0].width);
		await page.locator('.ct-f.ct-type.ct-no-longer').first().hover();
		assert.match(await page.locator('.ct-tip div').textContent(),
			/298\.3 MiB less per worker: 298\.3 MiB then, 0\.0 MiB now \(gone\)/);
		await page.keyboard.press('Escape');
		await page.locator('.ct-f.ct-all').hover();
		assert.match(await page.locator('.ct-tip div').textContent(), /303\.8 MiB then, 16\.6 MiB now per worker: -287\.2 MiB \(-95 %\)/);
	});
});

test('changed: text stands out on every colour, in both themes', async () => {
	for (const theme of THEMES)
		await withFlame('many_again', { theme }, async (page) => {
			await page.evaluate(() => {
				const kinds = ['more3', 'more2', 'more1', 'same', 'less1', 'less2', 'less3'];
				[...document.querySelectorAll('.ct-f')].slice(0, 14).forEach((f, i) =>
					f.setAttribute('class', `ct-f ct-d-${kinds[i % 7]}${i < 7 ? '' : ' ct-no-longer'}`));
			});
			const found = Object.entries(await page.evaluate(contrasts));
			assert.ok(found.length >= 14, `${found.length} colours`);
			for (const [kind, ratio] of found) assert.ok(ratio >= 4.5, `${theme}: ${kind}: ${ratio.toFixed(2)}`);
		});
});

test('changed: the tables say what the JSON says, the largest change first, and can be sorted', async () => {
	await withReport('next_release', {}, async (page) => {
		const told = baseline('next_release');
		assert.equal(await page.locator('.sentence').textContent(), told.sentence);
		assert.deepEqual(await page.locator('.remarks li').allTextContents(), told.remarks.map((r) => (r.unfair ? 'Not alike. ' : '') + r.text));
		for (const table of ['causes', 'types', 'sites', 'processes'])
			assert.equal(await page.locator(`#changed-${table} tbody tr`).count(), told[table].length, table);
		const causes = page.locator('#changed-causes tbody td:first-child');
		assert.deepEqual(await causes.allTextContents(), told.causes.map((row) => row.cause));
		assert.deepEqual(await page.locator('#changed-causes tbody td:nth-child(5)').allTextContents(),
			told.causes.map((row) => ({ gone: 'gone', appeared: 'new', same: 'same' })[row.state] || '-99 %'));
		const head = page.locator('#changed-causes th').nth(2);
		await head.locator('button').click();
		assert.equal(await head.getAttribute('aria-sort'), 'descending');
		assert.deepEqual(await causes.allTextContents(),
			[...told.causes].sort((a, b) => b.newer_bytes_per_worker - a.newer_bytes_per_worker).map((row) => row.cause));
		// what is gone is named after where it was
		assert.match(await page.locator('#changed-sites tbody tr').first().textContent(), /^\/srv\/app\/app\.py:14 in BigApp\.total/);
		await page.locator('#changed-sites input').fill('orderedDict');
		assert.equal(await page.locator('#changed-sites tbody tr').count(), 1);
		assert.match(await page.locator('#changed-sites tbody').textContent(), /cache\.py:7.*\+15\.7 MiB.*new/);
	});
});

test('changed: a page without an older run has no such part', async () => {
	await withReport('gunicorn', {}, async (page) => assert.equal(await page.locator('#changed, [href="#changed"]').count(), 0));
});

test('changed: both graphs of the page work, each for itself', async () => {
	await withReport('next_release', {}, async (page) => {
		const inputs = page.locator('.ct-tools input');
		assert.equal(await inputs.count(), 2);
		await inputs.first().fill('change:new');
		await inputs.nth(1).fill('cause:mutation');
		assert.match(await page.locator('#flame .ct-tools output').textContent(), /^matched: 94/);
		assert.match(await page.locator('#changed .ct-tools output').textContent(), /^matched: 0\.0 %/);
	});
});

test('changed: without script it still says what matters', async () => {
	await withReport('next_release', { script: false }, async (page) => {
		assert.match(await page.locator('.sentence').textContent(), /^Per worker, 287\.2 MiB less was copied/);
		assert.equal(await page.locator('#changed .ct-f.ct-all').count(), 1);
	});
});

test('changed: axe finds no serious fault', async () => {
	for (const theme of THEMES)
		for (const name of ['next_release', 'not_alike', 'markup_again']) {
			await withFlame(name, { theme }, async (page) => assert.deepEqual(await faults(page), []));
			await withReport(name, { theme }, async (page) => assert.deepEqual(await faults(page), []));
		}
});
