// Short names of models.
import { useState } from 'preact/hooks';
import { del, post } from '../core/api';
import { may } from '../core/auth';
import { count } from '../ui/format';
import { Icon } from '../ui/icons';
import { Act, Dialog, Field, Said, Search, Shown, useLoad, useWork } from '../ui/kit';

interface Alias { alias: string; model_id: string }

function Add({ onClose, again }: { onClose: () => void; again: () => Promise<void> }) {
	const work = useWork();
	const [alias, setAlias] = useState('');
	const [model, setModel] = useState('');
	return (
		<Dialog title="New alias" onClose={onClose} work={work} act="Add" off={!alias.trim() || !model.trim()} onAct={async () => {
			await post('/api/models/aliases', { alias: alias.trim(), model_id: model.trim() });
			await again();
		}}>
			<Field name="Alias">{(id) => <input id={id} required autocomplete="off" spellcheck={false} value={alias} onInput={(e) => setAlias(e.currentTarget.value)} />}</Field>
			<Field name="Stands for the model">{(id) => <input id={id} required autocomplete="off" spellcheck={false} value={model} onInput={(e) => setModel(e.currentTarget.value)} />}</Field>
		</Dialog>
	);
}

export function Aliases() {
	const list = useLoad<{ aliases: Alias[] }>('/api/models/aliases');
	const work = useWork();
	const [query, setQuery] = useState('');
	const [adding, setAdding] = useState(false);
	const q = query.trim().toLowerCase();
	const drop = (a: string) => void work.run(async () => {
		await del(`/api/models/aliases/${encodeURIComponent(a)}`);
		await list.again();
		return `${a} is removed.`;
	});
	return (
		<Shown of={list} what="Aliases">{({ aliases }) => {
			const found = aliases.filter((a) => !q || `${a.alias} ${a.model_id}`.toLowerCase().includes(q));
			return (
				<>
					<div class="bar">
						<Search value={query} name="Search aliases" onInput={setQuery} />
						{may('admin') && <button type="button" class="plain" onClick={() => setAdding(true)}><Icon name="plus" /><span>New alias</span></button>}
					</div>
					<p class="soft small" role="status">{count(found.length, 'alias', 'aliases')}</p>
					<Said work={work} />
					<div class="table" tabIndex={0} role="region" aria-label="Table of aliases">
						<table>
							<thead><tr><th scope="col">Alias</th><th scope="col">Model</th>{may('admin') && <th scope="col"><span class="away">What to do</span></th>}</tr></thead>
							<tbody>{found.map((a) => (
								<tr key={a.alias}><th scope="row">{a.alias}</th><td>{a.model_id}</td>{may('admin') && <td><Act icon="trash" name={`Remove ${a.alias}`} onClick={() => drop(a.alias)} /></td>}</tr>
							))}</tbody>
						</table>
					</div>
					{adding && <Add onClose={() => setAdding(false)} again={list.again} />}
				</>
			);
		}}</Shown>
	);
}
