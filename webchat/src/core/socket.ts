// The chat socket: one per page, pinned to a session, opened again when it breaks.
import { signal } from '@preact/signals';
import { ApiError, get, token } from './api';
import { may } from './auth';
import type { Frame } from './events';

export type Link = 'connecting' | 'online' | 'stream' | 'offline';
export const link = signal<Link>('connecting');

const WAITS = [500, 1000, 2000, 4000, 8000, 15000];

let ws: WebSocket | null = null;
let wanted: { agentId: string; sessionId: string } | null = null;
let tries = 0;
let timer = 0;
let hear: (f: Frame) => void = () => {};
let lost: () => void = () => {};
let back: () => void = () => {};

export function onSocket(h: { frame: (f: Frame) => void; lost: () => void; back: () => void }) {
	hear = h.frame;
	lost = h.lost;
	back = h.back;
}

function address(): string {
	const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
	return `${scheme}://${location.host}/api/agents/${wanted!.agentId}/ws?session_id=${wanted!.sessionId}`;
}

// Why did it not open? The browser does not say; an ordinary request does.
async function look() {
	try {
		await get('/api/status');
		if (!ws) link.value = tries > 1 ? 'stream' : 'connecting';      // reachable, only not by a socket
	} catch (e) {
		if (e instanceof ApiError && e.status === 401) return;
		if (!ws) link.value = 'offline';
	}
}

function later() {
	clearTimeout(timer);
	timer = window.setTimeout(connect, WAITS[Math.min(tries, WAITS.length - 1)]! * (0.8 + Math.random() * 0.4));
	tries++;
}

function connect() {
	clearTimeout(timer);
	if (!wanted) return;
	if (!may('user')) {
		link.value = 'stream';          // who only reads needs none
		return;
	}
	if (!navigator.onLine) {
		link.value = 'offline';
		return later();
	}
	let s: WebSocket;
	try {
		s = new WebSocket(address(), token.value ? [`bearer.${token.value}`] : []);
	} catch {
		link.value = 'stream';          // a key that cannot be a sub-protocol
		return;
	}
	let opened = false;
	s.onopen = () => {
		if (s !== ws) return;
		opened = true;
		const again = tries > 0;
		tries = 0;
		link.value = 'online';
		if (again) back();
	};
	s.onmessage = (m) => {
		if (s === ws && typeof m.data === 'string') hear(JSON.parse(m.data));
	};
	s.onclose = () => {
		if (s === ws) gone(opened);
	};
	ws = s;
}

function gone(opened: boolean) {
	ws = null;
	link.value = navigator.onLine ? 'connecting' : 'offline';
	if (opened) lost();
	else void look();
	later();
}

export function attach(agentId: string, sessionId: string) {
	if (wanted && wanted.agentId === agentId && wanted.sessionId === sessionId && ws) return;
	detach();
	wanted = { agentId, sessionId };
	link.value = 'connecting';
	connect();
}

export function detach() {
	const old = ws;
	clearTimeout(timer);
	wanted = null;
	ws = null;
	tries = 0;
	old?.close();
}

export function say(frame: Frame): boolean {
	if (ws?.readyState !== WebSocket.OPEN) return false;
	ws.send(JSON.stringify(frame));
	return true;
}

// Open within a moment, or not. Where none ever opened, nobody waits for one.
export function ready(ms: number): Promise<boolean> {
	return new Promise((done) => {
		const end = Date.now() + (link.value === 'stream' ? 0 : ms);
		const look = () => {
			if (ws?.readyState === WebSocket.OPEN) done(true);
			else if (!ws || Date.now() > end) done(false);
			else setTimeout(look, 30);
		};
		look();
	});
}

function hurry() {
	if (!wanted || ws) return;
	tries = Math.max(tries, 1);             // it was away: what we missed must be fetched
	connect();
}

addEventListener('online', hurry);
addEventListener('offline', () => {
	const old = ws;
	if (!old) return;
	gone(old.readyState === WebSocket.OPEN);        // its end may take minutes to be noticed
	old.close();
});
document.addEventListener('visibilitychange', () => {
	if (document.visibilityState === 'visible') hurry();
});
