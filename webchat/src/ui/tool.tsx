// A tool at work: one line, which opens to arguments and result.
import type { ToolPart } from '../core/types';
import { Coloured } from '../text/code';
import { brief, whole } from './format';
import { Icon } from './icons';

const WORD = { running: 'running', done: 'done', failed: 'failed', unknown: 'no result' };

const looksJson = (s: string) => /^\s*[[{]/.test(s);

function Piece({ name, text }: { name: string; text: string }) {
	return (
		<div class="piece">
			<h3>{name}</h3>
			<pre tabIndex={0} aria-label={name}><Coloured text={text} lang={looksJson(text) ? 'json' : ''} /></pre>
		</div>
	);
}

export function Tool({ tool }: { tool: ToolPart }) {
	return (
		<details class={`fold tool is-${tool.state}`}>
			<summary>
				<Icon name={tool.state === 'done' ? 'check' : tool.state === 'failed' ? 'alert' : 'tool'} />
				<code>{tool.name}</code>
				<span class="brief">{brief(tool.input)}</span>
				<span class={tool.state === 'done' ? 'away' : 'state'}>{WORD[tool.state]}</span>
				<Icon name="down" />
			</summary>
			<div class="fold-body">
				{tool.input !== undefined && <Piece name="Arguments" text={whole(tool.input)} />}
				{tool.result !== undefined && <Piece name={tool.state === 'failed' ? 'Error' : 'Result'} text={tool.result} />}
				{tool.input === undefined && tool.result === undefined && <p class="soft small">Nothing to show yet.</p>}
			</div>
		</details>
	);
}
