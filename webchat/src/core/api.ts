// Requests to the server that this page came from.
import { signal } from '@preact/signals';

export const token = signal('');

export class ApiError extends Error {
	constructor(readonly status: number, readonly code: string, text: string) {
		super(text);
	}
}

// Called when the server no longer knows our token.
let refused: () => void = () => {};
export function onRefused(fn: () => void) {
	refused = fn;
}

function headers(json: boolean): HeadersInit {
	const h: Record<string, string> = {};
	if (token.value) h.Authorization = `Bearer ${token.value}`;
	if (json) h['Content-Type'] = 'application/json';
	return h;
}

async function failure(r: Response): Promise<ApiError> {
	let text = `The server answered ${r.status}.`, code = `http_${r.status}`;
	try {
		const b = await r.json();
		if (typeof b.message === 'string') text = b.message;
		if (typeof b.code === 'string') code = b.code;
	} catch { /* not JSON: the status says it */ }
	if (r.status === 503) text = 'The server is not ready. Try again in a moment.';
	if (r.status === 429) text = 'Too many requests. Wait a moment and try again.';
	return new ApiError(r.status, code, text);
}

export interface CallOptions { body?: unknown; signal?: AbortSignal; quiet?: boolean }

export async function call(method: string, path: string, o: CallOptions = {}): Promise<Response> {
	let r: Response;
	try {
		r = await fetch(path, {
			method, headers: headers(o.body !== undefined), signal: o.signal ?? null, cache: 'no-store', credentials: 'omit',
			body: o.body === undefined ? null : JSON.stringify(o.body),
		});
	} catch (e) {
		if (o.signal?.aborted) throw e;
		throw new ApiError(0, 'offline', 'The server cannot be reached.');
	}
	if (r.ok) return r;
	const e = await failure(r);
	if (r.status === 401 && !o.quiet) refused();
	throw e;
}

async function json<T>(r: Promise<Response>): Promise<T> {
	return (await r).json() as Promise<T>;
}

export const get = <T>(path: string, o?: CallOptions) => json<T>(call('GET', path, o));
export const post = <T>(path: string, body: unknown = {}, o?: CallOptions) => json<T>(call('POST', path, { ...o, body }));

export const words = (e: unknown) => (e instanceof Error ? e.message : String(e));
