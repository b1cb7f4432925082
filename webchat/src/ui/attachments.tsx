// Files of a message. They need our key, so they are fetched and shown from memory: pictures
// at once, others when they are asked for.
import { useEffect, useState } from 'preact/hooks';
import { call, words } from '../core/api';
import type { FileRef } from '../core/types';
import { Icon } from './icons';
import { save } from './save';

const PICTURES = /^image\/(png|jpeg|gif|webp)$/;
const bytesOf = (f: FileRef) => call('GET', `/api/uploads/${f.file_id}`, { quiet: true }).then((r) => r.blob());

function Picture({ file }: { file: FileRef }) {
	const [url, setUrl] = useState('');
	const [other, setOther] = useState(false);
	useEffect(() => {
		let mine = '', gone = false;
		bytesOf(file).then((b) => {
			if (gone) return;
			if (!PICTURES.test(b.type)) return setOther(true);
			mine = URL.createObjectURL(b);
			setUrl(mine);
		}, () => setOther(true));
		return () => {
			gone = true;
			if (mine) URL.revokeObjectURL(mine);
		};
	}, [file.file_id]);
	if (other) return <Other file={file} />;
	return url ? <a href={url} download={file.filename}><img src={url} alt={file.filename} /></a> : <span class="file"><Icon name="file" /><span>{file.filename}</span></span>;
}

function Other({ file }: { file: FileRef }) {
	const [problem, setProblem] = useState('');
	return (
		<button type="button" class="file" title="Save this file" onClick={() => bytesOf(file).then((b) => save(file.filename, b), (e) => setProblem(words(e)))}>
			<Icon name="file" /><span>{file.filename}</span>{problem && <span class="bad" role="alert">{problem}</span>}
		</button>
	);
}

export function Attachments({ list }: { list: FileRef[] }) {
	return <ul class="attachments" aria-label="Attachments">{list.map((f) => <li key={f.file_id}>{f.content_type && !PICTURES.test(f.content_type) ? <Other file={f} /> : <Picture file={f} />}</li>)}</ul>;
}
