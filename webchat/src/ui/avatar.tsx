// The face of an agent: its emoji, or the first letter of its name on a colour of its own.
import { hue } from './format';
import type { Agent } from '../core/types';

export function Avatar({ agent, large }: { agent: Agent | undefined; large?: boolean }) {
	const name = agent?.name ?? '?';
	const emoji = agent?.identity?.emoji;
	return <span class={`avatar hue-${hue(name)}${large ? ' large' : ''}`} aria-hidden="true">{emoji || [...name][0]!.toUpperCase()}</span>;
}
