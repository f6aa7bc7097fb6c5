// SPDX-License-Identifier: MIT
// The file for speedscope: by its schema, by its sums, and in speedscope itself.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { CASES, file, report, require, screenshot, sum, withPage } from './tools.mjs';

const release = path.join(path.dirname(require.resolve('speedscope/package.json')), 'dist', 'release');
const schema = JSON.parse(readFileSync(path.join(release, 'file-format-schema.json'), 'utf8'));
const Ajv = require('ajv').default;
const read = (name) => JSON.parse(readFileSync(file(name + '.speedscope.json'), 'utf8'));

test('speedscope: every file fits the schema', () => {
	const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
	for (const name of CASES) assert.ok(validate(read(name)), `${name}: ${JSON.stringify(validate.errors)}`);
	assert.ok(!validate({ ...read('empty'), profiles: [{ type: 'sampled' }] }), 'the schema must refuse something');
});

test('speedscope: one profile for each process, in bytes, with the sums of the report', () => {
	for (const name of CASES) {
		const profiles = read(name).profiles, n = read(name).shared.frames.length;
		const processes = report(name).processes.filter((p) => p.copies);
		for (const p of processes) {
			const own = profiles.filter((profile) => profile.name.endsWith(` [${p.pid}]`));
			assert.equal(own.length, 1, `${name}: ${p.pid}`);
			assert.equal(own[0].endValue, p.copied_bytes);
		}
		for (const profile of profiles) {
			assert.equal(profile.unit, 'bytes');
			assert.equal(profile.samples.length, profile.weights.length);
			assert.equal(profile.weights.reduce((a, b) => a + b, 0), profile.endValue);
			assert.ok(profile.samples.every((stack) => stack.length && stack.every((f) => f < n)));
		}
		const lost = report(name).capture.lost * report(name).host.page_size;
		assert.equal(sum(profiles, 'endValue'), report(name).capture.copied_bytes + lost);
	}
});

test('speedscope: names are escaped', () => {
	for (const name of ['markup', 'hostile', 'long'])
		// eslint-disable-next-line no-control-regex
		assert.ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u.test(
			JSON.stringify(read(name).shared).replace(/\n/g, '')));
	assert.equal(read('long').shared.frames.filter((f) => f.name.startsWith('<&"\\x1b\\u{202e}name') && f.line === 7).length, 1);
});

const openIn = (name, use) => withPage('file://' + path.join(release, 'index.html'), {}, async (page) => {
	await page.locator('input[type=file]').first().setInputFiles(file(name + '.speedscope.json'));
	await page.waitForFunction(() => !/Drag and drop|Loading/i.test(document.body.innerText));
	await use(page);
}, (request) => request.startsWith('file://' + release) || request.startsWith('blob:') || request.startsWith('data:'));

for (const name of ['gunicorn', 'losses', 'markup', 'long', 'deep', 'many', 'empty'])
	test(`speedscope: opens ${name}`, async () => {
		const { profiles, activeProfileIndex } = read(name);
		await openIn(name, async (page) => {
			const title = `${profiles[activeProfileIndex].name}`.slice(0, 60);
			await page.getByText(title, { exact: false }).first().waitFor();
			await page.getByText('Left Heavy').click();
			await page.getByText('Sandwich').click();
			if (profiles[activeProfileIndex].samples.length)
				await page.getByText(name === 'gunicorn' ? 'refcount' : /.+/, { exact: name === 'gunicorn' }).first().waitFor();
			await screenshot(page, `speedscope-${name}`);
		});
	});

test('speedscope: a profile for each worker can be chosen', async () => {
	await openIn('gunicorn', async (page) => {
		const worker = page.getByText('gunicorn [4125]').first();
		await worker.click();
		for (const pid of [4125, 4126, 4127]) assert.ok(await page.getByText(`gunicorn [${pid}]`).count() >= 1, String(pid));
		await screenshot(page, 'speedscope-profiles');
	});
});
