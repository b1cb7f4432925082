// Which tools an agent may use.
import { useState } from 'preact/hooks';
import { put } from '../core/api';
import { may } from '../core/auth';
import { Field, Said, Shown, useLoad, useWork } from '../ui/kit';

interface AgentTools { capabilities_tools: string[]; tool_allowlist: string[]; tool_blocklist: string[]; disabled: boolean; warnings?: string[] }
interface Tool { name: string; description: string }

const isAll = (l: string[]) => !l.length || l.includes('*');
const listed = (text: string) => text.split(/[\s,]+/).filter(Boolean);

function Form({ id, was, all, again }: { id: string; was: AgentTools; all: Tool[]; again: () => Promise<void> }) {
	const [how, setHow] = useState(was.disabled ? 'none' : isAll(was.capabilities_tools) ? 'all' : 'some');
	const [some, setSome] = useState(() => new Set(isAll(was.capabilities_tools) ? all.map((t) => t.name) : was.capabilities_tools));
	const [allow, setAllow] = useState(was.tool_allowlist.join(', '));
	const [block, setBlock] = useState(was.tool_blocklist.join(', '));
	const work = useWork();
	// names and patterns that are no tool of this server stay as they are
	const others = [...some].filter((n) => !all.some((t) => t.name === n));
	const flip = (n: string) => setSome((s) => {
		const next = new Set(s);
		if (!next.delete(n)) next.add(n);
		return next;
	});
	function submit(e: Event) {
		e.preventDefault();
		void work.run(async () => {
			if (how === 'some' && !some.size) throw new Error('Choose at least one tool, or none at all above');
			const r = await put<AgentTools>(`/api/agents/${id}/tools`, {
				disabled: how === 'none', tool_allowlist: listed(allow), tool_blocklist: listed(block),
				...(how === 'none' ? {} : { capabilities_tools: how === 'all' ? ['*'] : [...some] }),
			});
			await again();
			return ['Saved.', ...(r.warnings ?? [])].join(' ');
		});
	}
	const way = (value: string, name: string, what: string) => (
		<label class="card">
			<input type="radio" name="how" value={value} checked={how === value} onChange={() => setHow(value)} />
			<span><strong>{name}</strong><span class="soft">{what}</span></span>
		</label>
	);
	return (
		<form class="settings" onSubmit={submit}>
			<fieldset disabled={!may('admin')}>
				<legend>What it may use</legend>
				{way('all', 'All tools', 'Also those that come later.')}
				{way('some', 'Some tools', 'Those that are marked below.')}
				{way('none', 'No tools', 'It can only talk.')}
				{how === 'some' && (
					<fieldset class="checks">
						<legend>Tools</legend>
						{all.map((t) => (
							<label key={t.name} class="check">
								<input type="checkbox" checked={some.has(t.name)} onChange={() => flip(t.name)} />
								<span><code>{t.name}</code><span class="soft small">{t.description}</span></span>
							</label>
						))}
						{others.length > 0 && <p class="soft small">And: {others.join(', ')}</p>}
					</fieldset>
				)}
				<div class="fields">
					<Field name="Of these only" note="Names or patterns such as file_*. Empty: all of them.">{(i, n) => <input id={i} aria-describedby={n} spellcheck={false} autocomplete="off" value={allow} onInput={(e) => setAllow(e.currentTarget.value)} />}</Field>
					<Field name="But never" note="Names or patterns.">{(i, n) => <input id={i} aria-describedby={n} spellcheck={false} autocomplete="off" value={block} onInput={(e) => setBlock(e.currentTarget.value)} />}</Field>
				</div>
			</fieldset>
			{may('admin') && <div class="save"><Said work={work} /><button type="submit" class="solid" disabled={work.busy}>{work.busy ? 'Saving…' : 'Save'}</button></div>}
		</form>
	);
}

export function Tools({ id }: { id: string }) {
	const was = useLoad<AgentTools>(`/api/agents/${id}/tools`);
	const all = useLoad<{ tools: Tool[] }>('/api/tools');
	return <Shown of={was} what="Tools">{(w) => <Shown of={all} what="Tools">{(t) => <Form id={id} was={w} all={t.tools} again={was.again} />}</Shown>}</Shown>;
}
