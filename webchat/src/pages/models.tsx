// Providers of models, the models themselves, and their short names: #/models/PART.
import { path } from '../core/route';
import { Frame } from '../ui/kit';
import { Aliases } from './aliases';
import { Catalog } from './catalog';
import { Providers } from './providers';

const PARTS = { providers: 'Providers', catalog: 'Models', aliases: 'Aliases' } as const;

export function Models() {
	const part = path.value[1] ?? 'providers';
	return (
		<Frame title="Models">
			<nav class="tabs" aria-label="Parts of this page">
				{Object.entries(PARTS).map(([key, name]) => <a key={key} href={`#/models/${key}`} aria-current={key === part ? 'page' : undefined}>{name}</a>)}
			</nav>
			{part === 'catalog' ? <Catalog /> : part === 'aliases' ? <Aliases /> : <Providers />}
		</Frame>
	);
}
