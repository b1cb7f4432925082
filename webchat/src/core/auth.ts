// Who we are: a one-time link in the address, a key that was kept, or nobody
// (a server in open mode asks for nothing).
import { computed, signal } from '@preact/signals';
import { ApiError, get, onRefused, post, token, words } from './api';
import { keep } from './keep';

// unreachable: the server could not be asked
export type Phase = 'starting' | 'signin' | 'unreachable' | 'ready';
export const phase = signal<Phase>('starting');
export const problem = signal('');
export const open = signal(false);              // no sign-in is needed here

const ROLES = ['viewer', 'user', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];
const role = signal<Role>('viewer');
const rank = computed(() => ROLES.indexOf(role.value));

// What a role may not do is not offered to it.
export const may = (least: Role) => rank.value >= ROLES.indexOf(least);

const KEPT = 'lf-token';

onRefused(() => {
	if (phase.value !== 'ready') return;
	forget();
	problem.value = 'Your sign-in is no longer valid. Sign in again.';
});

function forget() {
	keep.drop(KEPT);
	token.value = '';
	phase.value = 'signin';
}

async function known(): Promise<boolean> {
	try {
		role.value = (await get<{ role: Role }>('/api/authz/whoami', { quiet: true })).role;
		return true;
	} catch (e) {
		if (e instanceof ApiError && (e.status === 401 || e.status === 403)) return false;
		throw e;
	}
}

// The link's token must not stay in the address, where history and eyes find it.
function linkToken(): string | null {
	const m = location.hash.match(/^#link=([0-9a-f]{64})$/i);
	if (location.hash.startsWith('#link=')) history.replaceState(null, '', location.pathname);
	return m?.[1] ?? null;
}

async function useLink(link: string) {
	phase.value = 'starting';
	try {
		const a = await post<{ token: string }>('/api/auth/link', { token: link }, { quiet: true });
		token.value = a.token;
		await known();
		keep.set(KEPT, a.token, true);
		phase.value = 'ready';
	} catch (e) {
		const used = e instanceof ApiError && e.status >= 400 && e.status < 500;
		problem.value = used ? 'This link was used already or is too old. Ask for a new one, or sign in with a key.' : words(e);
		phase.value = 'signin';
	}
}

export async function begin() {
	const link = linkToken();
	problem.value = '';
	if (link) return useLink(link);
	token.value = keep.get(KEPT) ?? '';
	try {
		const good = await known();
		open.value = good && !token.value;
		if (good) {
			phase.value = 'ready';
			return;
		}
		if (token.value) problem.value = 'Your sign-in is no longer valid. Sign in again.';
		forget();
	} catch (e) {
		problem.value = words(e);
		phase.value = 'unreachable';
	}
}

export async function signIn(key: string, remember: boolean) {
	problem.value = '';
	if (!/^[\x21-\x7e]+$/.test(key)) {
		problem.value = 'This is no key: it holds blanks or other letters than a key can have.';
		return;
	}
	token.value = key;
	try {
		if (await known()) {
			keep.set(KEPT, key, remember);
			phase.value = 'ready';
			return;
		}
		problem.value = 'The server does not know this key.';
	} catch (e) {
		problem.value = words(e);
	}
	token.value = '';
}

export function signOut() {
	problem.value = '';
	forget();
	keep.forget();
}

// A link opened in a tab that shows this page already.
addEventListener('hashchange', () => {
	if (location.hash.startsWith('#link=')) void begin();
});
