// SPDX-License-Identifier: MIT
// The flame graph for those who have no mouse, or read it aloud, or see little.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { contrasts, faults, file, THEMES, withFlame, withPage } from './tools.mjs';

const focused = (page) => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
const press = async (page, ...keys) => { for (const key of keys) await page.keyboard.press(key); };

test('flame graph: by keyboard: Tab reaches all, arrows move, Enter zooms, Escape goes back', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		await press(page, 'Tab');
		assert.match(await focused(page), /^Search/);
		await press(page, 'Tab');
		assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Reset');
		for (let i = 0; i < 5; i++) {
			await press(page, 'Tab');
			assert.match(await focused(page), /^Show /);
		}
		await press(page, 'Tab');
		assert.match(await focused(page), /^all copies, /);
		await press(page, 'ArrowDown');
		assert.match(await focused(page), /^gunicorn \[4125\], forked process, CPython 3\.11\.2, [\d.]+ MiB/);
		await press(page, 'ArrowRight', 'ArrowDown');
		assert.match(await focused(page), /^SyncWorker\.handle_request sync\.py:177, in .*\/workers, /);
		assert.ok(await page.locator('.ct-tip div').isVisible());
		await press(page, 'Enter');
		assert.equal(await page.locator('.ct-f.ct-above').count(), 2);
		assert.match(await focused(page), /^SyncWorker\.handle_request/);
		await press(page, 'ArrowLeft');
		assert.match(await focused(page), /^SyncWorker\.handle_request/, 'its neighbours are not shown');
		await press(page, 'Escape');
		assert.equal(await page.locator('.ct-f.ct-above').count(), 0);
		await press(page, 'ArrowUp', 'ArrowLeft');
		assert.match(await focused(page), /^gunicorn \[4125\]/);
		await press(page, 'Home', ' ');
		assert.match(await focused(page), /^all copies/);
		await press(page, 'Tab');
		assert.equal(await page.locator('.ct-f:focus').count(), 0, 'one stop for the whole graph');
	});
});

test('flame graph: search by keyboard', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		await press(page, '/');
		await page.keyboard.type('dict');
		assert.match(await page.locator('output').textContent(), /^matched: 1\.4 %, 3 frames/);
		await press(page, 'Enter');
		assert.match(await focused(page), /^dict, type of the object; cause: gc-header/);
		await press(page, '/');
		await page.locator('.ct-tools input').fill('recvfrom');
		await press(page, 'Enter'); // too narrow to be drawn until it is zoomed
		assert.match(await focused(page), /^recvfrom \(kernel\), /);
		await press(page, 'Escape', '/', 'Escape');
		assert.equal(await page.locator('output').textContent(), '');
		await page.locator('.ct-item').first().focus();
		await press(page, 'Enter');
		assert.match(await page.locator('output').textContent(), /^matched: 98\.5 %/);
		await page.locator('.ct-f.ct-all').focus();
		await press(page, 'Escape');
		assert.equal(await page.locator('output').textContent(), '', 'Escape in the graph ends a search, too');
	});
});

test('flame graph: every frame says what it is', async () => {
	await withFlame('losses', {}, async (page) => {
		for (const f of await page.locator('.ct-f').all()) {
			assert.equal(await f.getAttribute('role'), 'treeitem');
			assert.match(await f.getAttribute('aria-label'), /.+, .+, [\d,.]+ [KM]iB, [<\d.]+ % of all, [\d,]+ cop(y|ies)$/);
			assert.equal(await f.getAttribute('aria-level'), String(+await f.getAttribute('y') / 19 + 1));
		}
		assert.equal(await page.locator('.ct-f[tabindex="0"]').count(), 1);
	});
});

test('flame graph: axe finds no serious fault, alone and inside of a page', async () => {
	for (const theme of THEMES)
		for (const name of ['gunicorn', 'losses', 'markup', 'empty']) {
			await withFlame(name, { theme }, async (page) => {
				assert.deepEqual(await faults(page), []);
				await page.locator('.ct-tools input').fill('f');
				assert.deepEqual(await faults(page), []);
			});
			await withPage('about:blank', { theme }, async (page) => {
				await page.setContent(`<!doctype html><html lang="en"><title>t</title><main><h1>t</h1>
${readFileSync(file(name + '.svg'), 'utf8')}</main></html>`);
				assert.deepEqual(await faults(page), []);
			});
		}
});

test('flame graph: text stands out, in both themes, on every colour', async () => {
	for (const theme of THEMES)
		await withFlame('markup', { theme }, async (page) => {
			// each colour there is
			await page.evaluate(() => {
				const kinds = ['all', 'process', 'native', 'reason', 'rest', 'lost', 'p0', 'p1', 'p2', 'p3'];
				for (const cause of ['refcount', 'gc-header', 'inline-cache', 'lazy-cache', 'mutation', 'allocator',
					'native-data', 'stack', 'buffer', 'kernel-write', 'unknown'])
					kinds.push(`cause ct-c-${cause}`, `type ct-c-${cause}`);
				[...document.querySelectorAll('.ct-f')].slice(0, kinds.length)
					.forEach((f, i) => f.setAttribute('class', 'ct-f ct-' + kinds[i]));
			});
			const found = Object.entries(await page.evaluate(contrasts));
			assert.ok(found.length >= 32, `${found.length} colours`);
			for (const [kind, ratio] of found) assert.ok(ratio >= 4.5, `${theme}: ${kind}: ${ratio.toFixed(2)}`);
		});
});
