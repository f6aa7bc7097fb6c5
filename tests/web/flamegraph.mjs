// SPDX-License-Identifier: MIT
// The flame graph in a browser: what it shows, zoom, search, details.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import test from 'node:test';

import { CASES, file, report, require, screenshot, sum, THEMES, WIDTHS, withFlame, withPage } from './tools.mjs';

// Of a frame: class, name, place and what it says. Runs in the page.
const readFrames = () => [...document.querySelectorAll('.cowtrace-flame .ct-f')].map((f) => ({
	kind: f.classList[1].slice(3), label: f.querySelector('text').textContent, all: f.getAttribute('aria-label'),
	x: +f.getAttribute('x'), y: +f.getAttribute('y'), width: +f.getAttribute('width'),
	start: +f.dataset.s, bytes: +f.dataset.b,
	shown: getComputedStyle(f).display !== 'none', above: f.classList.contains('ct-above'),
	hit: f.classList.contains('ct-hit'), text: f.querySelector('text').getComputedTextLength(),
}));

// Of a hidden frame, the place is that of the time before.
const shownOnly = (frames) => frames.filter((f) => f.shown);

const frame = (page, label, nth = 0) =>
	page.locator('.ct-f', { has: page.locator(`text:text-is("${label}")`) }).nth(nth);
const output = (page) => page.locator('output').textContent();
const searchFor = (page, text) => page.locator('.ct-tools input').fill(text);
const tip = (page) => page.locator('.ct-tip div');

for (const name of CASES)
	test(`flame graph ${name}: opens in both themes and widths`, async () => {
		for (const theme of THEMES)
			for (const width of WIDTHS)
				await withFlame(name, { theme, width }, async (page) => {
					const frames = await page.evaluate(readFrames);
					assert.ok(frames.length >= 1);
					assert.equal(frames[0].bytes, report(name).capture.copied_bytes +
						report(name).capture.lost * report(name).host.page_size);
					const scroll = await page.evaluate(() => document.documentElement.scrollWidth);
					assert.ok(scroll <= width, `${scroll} px in a window of ${width}`);
					for (const f of frames.filter((f) => f.shown)) {
						assert.ok(f.label === '' || f.text <= f.width, `${f.label} runs out of its frame`);
						assert.ok(f.x + f.width <= width, `${f.label} runs out of the window`);
					}
					await screenshot(page, `${name}-${width}-${theme}`);
				});
	});

test('flame graph: widths are bytes, children lie below their parents', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		const frames = await page.evaluate(readFrames), all = frames[0];
		for (const f of frames.filter((f) => f.shown)) {
			assert.ok(Math.abs(f.width - f.bytes / all.bytes * all.width) < 0.02, f.label);
			if (f === all) continue;
			const parents = frames.filter((p) => p.y === f.y - 19 && p.start <= f.start &&
				f.start + f.bytes <= p.start + p.bytes);
			assert.equal(parents.length, 1, f.all);
		}
	});
});

test('flame graph: from process to frames to cause and type', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		const heaviest = [];
		for (const f of await page.evaluate(readFrames)) if (f.start === 0) heaviest.push(f.label);
		assert.deepEqual(heaviest, ['all copies', 'gunicorn [4125]', 'SyncWorker.handle_request sync.py:177',
			'index app.py:31', 'BigApp.total app.py:14', 'refcount', 'int']);
	});
});

test('flame graph: processes and causes have the bytes of the report', async () => {
	for (const name of ['gunicorn', 'losses', 'no_python', 'markup'])
		await withFlame(name, {}, async (page) => {
			const frames = await page.evaluate(readFrames);
			const sorted = (list) => list.filter(Boolean).sort((a, b) => a - b);
			assert.deepEqual(sorted(frames.filter((f) => f.kind === 'process').map((f) => f.bytes)),
				sorted(report(name).processes.map((p) => p.copied_bytes)));
			assert.equal(sum(frames.filter((f) => f.kind === 'cause'), 'bytes'), report(name).capture.copied_bytes);
		});
});

test('flame graph: what was lost has a place', async () => {
	await withFlame('losses', {}, async (page) => {
		const lost = (await page.evaluate(readFrames)).filter((f) => f.kind === 'lost');
		assert.deepEqual(lost.map((f) => f.bytes), [1203 * 4096, 1200 * 4096, 3 * 4096]);
		assert.match(await page.locator('.ct-warning').textContent(), /1,203 copies could not be looked at/);
	});
});

test('flame graph: a click zooms, reset and Escape go back', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		const before = await page.evaluate(readFrames);
		await frame(page, 'BigApp.total app.py:14', 1).click();
		let frames = await page.evaluate(readFrames);
		const zoomed = frames.find((f) => f.shown && !f.above && f.label.startsWith('BigApp.total'));
		assert.equal(zoomed.width, before[0].width);
		assert.equal(zoomed.start, before.filter((f) => f.label.startsWith('BigApp.total'))[1].start);
		assert.deepEqual(frames.filter((f) => f.above).map((f) => f.label), ['all copies', 'gunicorn [4126]',
			'SyncWorker.handle_request sync.py:177', 'index app.py:31']);
		for (const f of frames.filter((f) => f.shown && !f.above)) {
			assert.ok(f.start >= zoomed.start && f.start + f.bytes <= zoomed.start + zoomed.bytes);
			assert.ok(Math.abs(f.width - f.bytes / zoomed.bytes * zoomed.width) < 0.02, f.label);
		}
		await frame(page, 'gunicorn [4126]').click(); // out by one ancestor
		frames = await page.evaluate(readFrames);
		assert.equal(frames.filter((f) => f.above).length, 1);
		await page.locator('.ct-tools button').click();
		assert.deepEqual(shownOnly(await page.evaluate(readFrames)), shownOnly(before));
		await frame(page, 'gunicorn [4125]').click();
		await page.keyboard.press('Escape');
		assert.deepEqual(shownOnly(await page.evaluate(readFrames)), shownOnly(before));
	});
});

test('flame graph: small frames appear when zoomed', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		assert.equal((await page.evaluate(readFrames)).filter((f) => f.shown && f.label === 'recvfrom (kernel)').length, 0);
		await searchFor(page, 'recvfrom');
		const hits = (await page.evaluate(readFrames)).filter((f) => f.hit);
		assert.equal(hits.length, 3); // also those that are too narrow to be drawn
		await searchFor(page, '');
		await page.evaluate(() => {
			const small = [...document.querySelectorAll('.ct-f')].find((f) => /^recvfrom/.test(f.getAttribute('aria-label')));
			small.dispatchEvent(new MouseEvent('click', { bubbles: true }));
		});
		assert.equal((await page.evaluate(readFrames)).filter((f) => f.shown && f.label === 'recvfrom (kernel)').length, 1);
	});
});

test('flame graph: search by text, regular expression and cause, each byte counted once', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		const all = report('gunicorn').capture.copied_bytes;
		const part = (bytes) => bytes && bytes / all * 100 < 0.05 ? '<0.1 %' : (bytes / all * 100).toFixed(1) + ' %';
		const sites = report('gunicorn').sites;
		const expect = async (text, bytes, frames) => {
			await searchFor(page, text);
			assert.equal(await output(page), `matched: ${part(bytes)}, ${frames} frame${frames === 1 ? '' : 's'}`, text);
			assert.equal((await page.evaluate(readFrames)).filter((f) => f.hit).length, frames);
		};
		const inFunction = (f) => sum(sites.filter((s) => s.function === f));
		await expect('bigapp.TOTAL', inFunction('BigApp.total'), 3);
		await expect('app.py', inFunction('BigApp.total') + inFunction('cleanup'), 9); // index holds BigApp.total
		await expect('cleanup', inFunction('cleanup'), 3);
		await expect('/^(cleanup|recvfrom)/', inFunction('cleanup') + inFunction('recvfrom (kernel)'), 6);
		await expect('cause:gc-header', sum(report('gunicorn').causes.filter((c) => c.cause === 'gc-header')), 6);
		await expect('no such name', 0, 0);
		await expect('cause:nothing', 0, 0);
		await searchFor(page, '/(/');
		assert.equal(await output(page), 'not a regular expression');
		assert.equal(await page.locator('.ct-tools input').getAttribute('aria-invalid'), 'true');
		await searchFor(page, '');
		assert.equal(await output(page), '');
		assert.equal((await page.evaluate(readFrames)).filter((f) => f.hit).length, 0);
	});
});

test('flame graph: inside of a zoom, a search counts what is shown', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		await frame(page, 'gunicorn [4126]').click();
		await searchFor(page, 'BigApp.total');
		const process = report('gunicorn').processes.find((p) => p.pid === 4126).copied_bytes;
		const f = (await page.evaluate(readFrames)).find((f) => f.hit && f.shown);
		assert.equal(await output(page), `matched: ${(f.bytes / process * 100).toFixed(1)} % of what is shown, 1 frame`);
	});
});

test('flame graph: the legend shows where a cause is', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		await page.locator('.ct-item[data-search="cause:gc-header"]').click();
		assert.equal(await page.locator('.ct-tools input').evaluate((input) => input.value), 'cause:gc-header');
		assert.match(await output(page), /^matched: 1\.4 %, 6 frames$/);
		await page.locator('.ct-item[data-search="cause:gc-header"]').click();
		assert.equal(await output(page), '');
	});
});

test('flame graph: hovering shows details, and they stay inside of the picture', async () => {
	for (const width of WIDTHS)
		await withFlame('gunicorn', { width }, async (page) => {
			assert.ok(!await tip(page).isVisible());
			await page.locator('.ct-f.ct-python').nth(2).hover();
			assert.deepEqual(await tip(page).locator('> *').allTextContents(),
				['BigApp.total', '/srv/app/app.py:14', '299.6 MiB, 32.9 % of all, 76,700 copies']);
			for (const f of await page.locator('.ct-f:visible').all()) {
				const { width: own } = await f.boundingBox();
				if (own < 3) continue;
				await f.hover({ position: { x: own - 1, y: 9 } });
				const box = await tip(page).boundingBox();
				assert.ok(box && box.x >= 0 && box.x + box.width <= width && box.y >= 0);
			}
			await page.mouse.move(5, 5);
			assert.ok(!await tip(page).isVisible());
		});
});

test('flame graph: names are text', async () => {
	await withFlame('markup', {}, async (page) => {
		const said = (await page.evaluate(readFrames)).map((f) => ', ' + f.all);
		for (const name of ['<script>window.owned=1</script>', '</title></text></svg><h1>x</h1>',
			']]></style><script>window.owned=1</script>', '&lt;b&gt; &amp; &#0; &unknown;',
			'\\u{202e}gnp.exe\\u{2066} \\u{200b}\\u{feff}', '\\x1b[31mred\\x1b]0;t\\x07 \\x7f \\u{009b}',
			'${window.owned=1} {{7*7}} \'"`', '?', '\u{1f40d}\u{10ffff} \u4e2d\u6587\u4e2d\u6587'])
			assert.ok(said.some((all) => all.includes(`, ${name}`)), name);
		assert.equal(await page.locator('script').count(), 1);
		assert.equal(await page.locator('h1, image').count(), 0);
		await searchFor(page, '<script>');
		assert.match(await output(page), /^matched: /);
		await page.locator('.ct-f.ct-process').hover();
		assert.equal(await tip(page).locator('b').textContent(), '<script>window.owned=1</script> [6]');
	});
});

test('flame graph: 100 kB of a name become a line', async () => {
	assert.ok(statSync(file('long.svg')).size < 100_000);
	await withFlame('long', {}, async (page) => {
		for (const f of await page.evaluate(readFrames)) assert.ok(f.all.length < 1200);
	});
});

test('flame graph: of very many frames the smallest stand together, and it says so', async () => {
	assert.ok(statSync(file('many.svg')).size < 5_000_000);
	await withFlame('many', {}, async (page) => {
		const frames = await page.evaluate(readFrames), rests = frames.filter((f) => f.kind === 'rest');
		assert.ok(frames.length < 16_000);
		assert.match(await page.locator('.ct-line', { hasText: 'not drawn' }).textContent(), /^[\d,]+ frames with less than /);
		assert.equal(rests.length, 2);
		const shown = sum(frames.filter((f) => f.kind === 'native' || f.kind === 'rest'), 'bytes');
		assert.equal(shown, report('many').capture.copied_bytes);
		await page.locator('.ct-f.ct-rest').first().hover();
		assert.match(await tip(page).textContent(), /[\d,]+ frames, too small to be drawn/);
	});
});

test('flame graph: follows the width of the window', async () => {
	await withFlame('gunicorn', {}, async (page) => {
		await page.setViewportSize({ width: 400, height: 800 });
		await page.waitForFunction(() => +document.querySelector('.ct-f').getAttribute('width') < 400);
		const narrow = await page.evaluate(readFrames);
		assert.ok(narrow.every((f) => !f.shown || f.text <= Math.max(f.width, 0.01) || !f.label));
		await page.setViewportSize({ width: 1280, height: 800 });
		await page.waitForFunction(() => +document.querySelector('.ct-f').getAttribute('width') > 1200);
	});
});

test('flame graph: stands complete without script', async () => {
	for (const name of ['gunicorn', 'losses', 'markup'])
		await withFlame(name, { script: false }, async (page) => {
			const text = await page.locator('svg.cowtrace-flame').first().textContent();
			assert.match(text, /copied by writes to shared memory/);
			assert.equal(await page.locator('.ct-item').count(), new Set(report(name).causes.map((c) => c.cause)).size);
			assert.equal(await page.locator('.ct-tools').count(), 0);
			await screenshot(page, `${name}-without-script`);
		});
	await withFlame('gunicorn', { script: false, width: 400 }, async (page) => {
		const box = await page.locator('.ct-f.ct-all').boundingBox();
		assert.ok(box.x >= 0 && box.x + box.width <= 400);
		const label = await page.locator('.ct-f.ct-python text').nth(2).textContent();
		assert.equal(label, 'BigApp.total app.py:14');
		assert.match(await page.locator('.ct-f.ct-python title').nth(2).textContent(), /299\.6 MiB/);
	});
});

test('flame graph: on paper it is light, whole and on one page', async () => {
	await withFlame('gunicorn', { theme: 'dark' }, async (page) => {
		const pdf = (await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString('latin1');
		assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1);
		await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
		assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.ct-paper')).fill), 'rgb(255, 255, 255)');
		assert.ok(!await page.locator('.ct-tools').isVisible());
		await screenshot(page, 'gunicorn-print');
	});
});

// Two in one page, as HTML parses them; the page has styles and a script of its own.
test('flame graph: works inside of a page, twice', async () => {
	const svg = (name) => readFileSync(file(name + '.svg'), 'utf8');
	const html = `<!doctype html><html lang="en"><title>t</title><style>text { fill: red } .f { opacity: .1 }</style>
<main style="padding: 20px"><h1>Two</h1><div id="a">${svg('gunicorn')}</div><div id="b">${svg('markup')}</div></main></html>`;
	await withPage('about:blank', {}, async (page) => {
		await page.setContent(html);
		await page.locator('#a .ct-f.ct-process').nth(1).click();
		assert.ok(await page.locator('#a .ct-f.ct-above').count() > 0);
		assert.equal(await page.locator('#b .ct-f.ct-above').count(), 0);
		await page.locator('#b .ct-tools input').fill('f');
		assert.match(await page.locator('#b output').textContent(), /^matched/);
		assert.equal(await page.locator('#a output').textContent(), '');
		assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('h1')).fontWeight), '700');
		assert.ok((await page.locator('#a svg').first().boundingBox()).width <= 1240);
		await screenshot(page, 'inline');
	});
});

test('flame graph: works as an object and stands still as an image', async () => {
	const url = 'file://' + file('gunicorn.svg'), host = 'file://' + file('empty.svg');
	await withPage(host, {}, async (page) => {
		// a page from files, which may show other files
		await page.evaluate((address) => {
			const div = document.createElementNS('http://www.w3.org/1999/xhtml', 'div');
			div.innerHTML = `<object data="${address}" type="image/svg+xml" width="600"></object><img src="${address}" width="600" alt=""/>`;
			const box = document.createElementNS('http://www.w3.org/2000/svg', 'foreignObject');
			for (const [key, value] of Object.entries({ x: 0, y: 200, width: 1280, height: 600 })) box.setAttribute(key, value);
			box.append(div);
			document.documentElement.append(box);
			document.documentElement.style.height = '900px';
		}, url);
		await page.waitForFunction(() => document.querySelector('img').complete);
		const image = await page.evaluate(() => [document.querySelector('img').naturalWidth]);
		assert.deepEqual(image, [1200]);
		const inner = page.frames().find((f) => f.url() === url);
		await inner.locator('.ct-f.ct-process').first().click();
		assert.equal(await inner.locator('.ct-f.ct-above').count(), 1);
	}, (request) => request === url || request === host);
});
