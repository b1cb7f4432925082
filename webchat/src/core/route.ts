// The page that the address names: #/AGENT/SESSION is a conversation, #/agents and its like another page.
import { computed, signal } from '@preact/signals';

const PAGES = ['agents', 'sessions', 'models', 'usage'] as const;
export type PageName = (typeof PAGES)[number];

export const path = signal<string[]>([]);
export const page = computed(() => PAGES.find((p) => p === path.value[0]) ?? 'chat');

export function read() {
	try {
		path.value = location.hash.startsWith('#/') ? location.hash.slice(2).split('/').map(decodeURIComponent) : [];
	} catch {
		path.value = [];                // a percent sign that means nothing
	}
}
read();

// How it got there decides whether the way back leads to what stood in the address before.
export function go(hash: string, how: 'pushState' | 'replaceState' = 'pushState') {
	if (location.hash !== hash) history[how](null, '', hash);
	read();
}

export const CHAT = /^#\/([0-9a-f-]{36})(?:\/([0-9a-f-]{36}))?$/;
