// Files on their way into the next message. They are sent at once, so that the message need not wait for them.
import { computed, signal } from '@preact/signals';
import { failureOf, isAbsent, token } from './api';
import type { FileRef } from './types';

export interface Upload extends FileRef {
	key: number;
	size: number;
	done: number;                   // of it, 0 to 1
	state: 'going' | 'there' | 'failed';
	problem?: string;
}

export const uploads = signal<Upload[]>([]);
export const going = computed(() => uploads.value.some((u) => u.state === 'going'));
export const ready = computed(() => uploads.value.filter((u) => u.state === 'there'));

const MOST = 10;
const requests = new Map<number, XMLHttpRequest>();
let n = 0;

// What browsers have no type for, and servers know.
const TYPES: Record<string, string> = {
	md: 'text/markdown', txt: 'text/plain', log: 'text/plain', csv: 'text/csv', toml: 'application/toml', yaml: 'application/yaml', yml: 'application/yaml',
	sql: 'application/sql', ipynb: 'application/x-ipynb+json', ts: 'application/typescript',
};
const PLAIN = /^(c|h|cc|cpp|hpp|rs|go|py|rb|pl|pm|lua|sh|java|kt|swift|jsx|tsx|css|ini|conf|diff|patch|tex|rst|org|html?|xml|svg)$/;

function typeOf(f: File): string {
	const ext = f.name.toLowerCase().split('.').pop() ?? '';
	if (PLAIN.test(ext)) return 'text/plain';
	return TYPES[ext] ?? (f.type || 'text/plain');
}

const change = (key: number, put: Partial<Upload>) => {
	uploads.value = uploads.value.map((u) => (u.key === key ? { ...u, ...put } : u));
};

function answered(key: number, r: XMLHttpRequest) {
	requests.delete(key);
	let body: Record<string, any> = {};
	try {
		body = JSON.parse(r.responseText);
	} catch { /* the status says it */ }
	if (r.status === 201 || r.status === 200)
		return change(key, { state: 'there', done: 1, file_id: body.file_id, filename: body.filename, content_type: body.content_type });
	const failure = failureOf(r.status, body);
	change(key, { state: 'failed', problem: isAbsent(failure) ? 'This server takes no files.' : r.status ? failure.message : 'The server cannot be reached.' });
}

function send(agentId: string, key: number, file: File) {
	const type = typeOf(file), form = new FormData(), r = new XMLHttpRequest();
	form.append('file', new File([file], file.name, { type }));
	r.open('POST', `/api/agents/${agentId}/upload`);
	if (token.value) r.setRequestHeader('Authorization', `Bearer ${token.value}`);
	r.upload.onprogress = (e) => { if (e.lengthComputable) change(key, { done: e.loaded / e.total }); };
	r.onload = r.onerror = () => answered(key, r);
	requests.set(key, r);
	r.send(form);
}

export function add(agentId: string, files: Iterable<File>): string {
	const list = [...files], room = MOST - uploads.value.length;
	for (const f of list.slice(0, Math.max(room, 0))) {
		const key = ++n;
		uploads.value = [...uploads.value, { key, file_id: '', filename: f.name, content_type: typeOf(f), size: f.size, done: 0, state: f.size ? 'going' : 'failed', problem: f.size ? undefined : 'The file is empty.' }];
		if (f.size) send(agentId, key, f);
	}
	return list.length > room ? `At most ${MOST} files go with one message.` : '';
}

// Those of a question that is asked again.
export function again(files: FileRef[]) {
	clear();
	uploads.value = files.map((f) => ({ ...f, key: ++n, size: 0, done: 1, state: 'there' }));
}

export function drop(key: number) {
	requests.get(key)?.abort();
	requests.delete(key);
	uploads.value = uploads.value.filter((u) => u.key !== key);
}

export function clear() {
	for (const r of requests.values()) r.abort();
	requests.clear();
	if (uploads.value.length) uploads.value = [];
}
