// All pages but the conversation: each is loaded when it is first looked at.
import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { page, path, type PageName } from '../core/route';
import { Icon } from './icons';
import { covered } from './view';

type Loader = () => Promise<ComponentType>;
const LOADERS: Record<PageName, Loader> = {
	agents: () => import('../pages/agents').then((m) => m.Agents),
	sessions: () => import('../pages/sessions').then((m) => m.Sessions),
	models: () => import('../pages/models').then((m) => m.Models),
	usage: () => import('../pages/usage').then((m) => m.Usage),
};
const there: Partial<Record<PageName, ComponentType>> = {};

export const PAGE_NAMES: Record<PageName, string> = { agents: 'Agents', sessions: 'Sessions', models: 'Models', usage: 'Usage' };

export function Page() {
	const name = page.value as PageName;
	const failed = useSignal(false);
	const [, drawn] = useState(0);
	async function load() {
		failed.value = false;
		try {
			there[name] ??= await LOADERS[name]();
			drawn((n) => n + 1);
		} catch {
			failed.value = true;
		}
	}
	useEffect(() => { void load(); }, [name]);
	const Shown = there[name];
	if (Shown) return <Shown key={name === 'agents' ? path.value[1] ?? '' : name} />;
	return (
		<main class="main" inert={covered.value} aria-busy={!failed.value}>
			<h1 class="away">{PAGE_NAMES[name]}</h1>
			<div role="alert" class="sheet">
				{failed.value && <p class="notice"><Icon name="alert" /><span>This page could not be loaded. A newer version may be installed.</span>
					<button type="button" class="plain" onClick={() => location.reload()}>Load again</button></p>}
			</div>
		</main>
	);
}
