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

export function failureOf(status: number, b: Record<string, unknown>): ApiError {
	let text = typeof b.message === 'string' ? b.message : `The server answered ${status}.`;
	const code = typeof b.code === 'string' ? b.code : `http_${status}`;
	if (status === 503) text = 'The server is not ready. Try again in a moment.';
	if (status === 429 && code === 'rate_limited') text = 'Too many requests. Wait a moment and try again.';
	return new ApiError(status, code, text);
}

async function failure(r: Response): Promise<ApiError> {
	try {
		return failureOf(r.status, await r.json());
	} catch {
		return failureOf(r.status, {});         // not JSON: the status says it
	}
}

export interface CallOptions { body?: unknown; signal?: AbortSignal; quiet?: boolean; headers?: Record<string, string> }

export async function call(method: string, path: string, o: CallOptions = {}): Promise<Response> {
	let r: Response;
	try {
		r = await fetch(path, {
			method, headers: { ...headers(o.body !== undefined), ...o.headers }, signal: o.signal ?? null, cache: 'no-store', credentials: 'omit',
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

export const put = <T>(path: string, body: unknown = {}) => json<T>(call('PUT', path, { body }));
export const patch = <T>(path: string, body: unknown) => json<T>(call('PATCH', path, { body }));
export const del = (path: string) => call('DELETE', path);

// This server does not have the row (yet).
export const isAbsent = (e: unknown) => e instanceof ApiError && (e.status === 501 || e.status === 405 || (e.status === 404 && e.message === 'Not found'));

export const words = (e: unknown) => (e instanceof Error ? e.message : String(e));
