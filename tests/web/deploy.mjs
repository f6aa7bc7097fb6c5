// SPDX-License-Identifier: MIT
// scripts/deploy for Kubernetes, against the schemas that its OpenAPI description gives.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { require, work } from './tools.mjs';

const { parseAllDocuments } = require('yaml');
const deployed = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'deploy', 'daemonset.yaml');
const manifests = parseAllDocuments(readFileSync(deployed, 'utf8')).map((document) => {
	assert.deepEqual(document.errors, []);
	return document.toJS();
});

// A schema allows fields that it does not know. What it knows, it looks at: what it does not look at is a mistake.
function watched(data, at, unseen) {
	if (data === null || typeof data !== 'object') return data;
	for (const key of Array.isArray(data) ? [] : Object.keys(data)) unseen.add(`${at}/${key}`);
	const below = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, watched(value, `${at}/${key}`, unseen)]));
	return new Proxy(data, { get: (target, key) => {
		unseen.delete(`${at}/${String(key)}`);
		return Object.hasOwn(below, key) ? below[key] : target[key];
	} });
}

async function faults(object) {
	const file = path.join(work, 'node_modules', 'kubernetes-models', object.apiVersion, `${object.kind}.js`);
	const schema = path.join(work, 'node_modules', 'kubernetes-models', '_schemas',
		readFileSync(file, 'utf8').match(/_schemas\/(\w+\.js)/)[1]);
	const { validate } = await import(pathToFileURL(schema));
	const unseen = new Set();
	const wrong = validate(watched(object, '', unseen)) ? [] :
		validate.errors.map((error) => `${error.instancePath} ${error.keyword} ${JSON.stringify(error.params)}`);
	return [...wrong, ...[...unseen].map((field) => `${field} is no field of Kubernetes`)];
}

test('what is deployed are objects of Kubernetes', async () => {
	assert.deepEqual(manifests.map((m) => m.kind), ['Namespace', 'ServiceAccount', 'NetworkPolicy', 'DaemonSet']);
	for (const manifest of manifests) assert.deepEqual(await faults(manifest), [], manifest.kind);
});

test('the schemas know a mistake', async () => {
	const changed = (change) => {
		const copy = structuredClone(manifests.at(-1));
		change(copy.spec.template.spec);
		return faults(copy);
	};
	assert.match((await changed((pod) => { pod.containers[0].ports[0].containerPort = 'x'; })).join(), /containerPort type/);
	assert.match((await changed((pod) => { pod.hostPid = true; })).join(), /hostPid is no field/);
	assert.match((await changed((pod) => { delete pod.containers[0].name; })).join(), /required/);
});

test('what belongs together has the same names', () => {
	const [namespace, account, policy, set] = manifests;
	const pod = set.spec.template;
	for (const manifest of [account, policy, set]) assert.equal(manifest.metadata.namespace, namespace.metadata.name);
	assert.equal(pod.spec.serviceAccountName, account.metadata.name);
	for (const labels of [set.spec.selector.matchLabels, policy.spec.podSelector.matchLabels])
		for (const [name, value] of Object.entries(labels)) assert.equal(pod.metadata.labels[name], value);
	const [container] = pod.spec.containers;
	const [port] = container.ports;
	assert.ok(container.args.join(' ').includes(`:${port.containerPort} --listen-public`));
	assert.equal(pod.metadata.annotations['prometheus.io/port'], String(port.containerPort));
	assert.equal(policy.spec.ingress[0].ports[0].port, port.containerPort);
	for (const probe of [container.livenessProbe, container.readinessProbe]) assert.equal(probe.httpGet.port, port.name);
	assert.deepEqual(container.volumeMounts.map((m) => m.name), pod.spec.volumes.map((v) => v.name));
});
