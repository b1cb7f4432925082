// What belongs to the screen alone: drawer, dialog, colours.
import { computed, effect, signal } from '@preact/signals';
import { keep } from '../core/keep';

export type Theme = 'auto' | 'light' | 'dark';

const query = matchMedia('(max-width: 800px)');
export const narrow = signal(query.matches);
query.addEventListener('change', () => { narrow.value = query.matches; });

export const drawer = signal(false);
export const covered = computed(() => narrow.value && drawer.value);
export const making = signal(false);            // the dialog for a new agent

const kept = keep.get('lf-theme');
export const theme = signal<Theme>(kept === 'light' || kept === 'dark' ? kept : 'auto');

effect(() => {
	const root = document.documentElement;
	if (theme.value === 'auto') delete root.dataset.theme;
	else root.dataset.theme = theme.value;
});

export function nextTheme() {
	theme.value = theme.value === 'auto' ? 'light' : theme.value === 'light' ? 'dark' : 'auto';
	if (theme.value === 'auto') keep.drop('lf-theme');
	else keep.set('lf-theme', theme.value, true);
}

export const focus = (id: string) => setTimeout(() => document.getElementById(id)?.focus(), 0);
