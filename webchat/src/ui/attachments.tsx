// Files of a message. They need our key, so they are fetched and shown from memory.
import { useEffect, useState } from 'preact/hooks';
import { call } from '../core/api';
import type { FileRef } from '../core/types';
import { Icon } from './icons';


const PICTURES = /^image\/(png|jpeg|gif|webp)$/;

function One({ file }: { file: FileRef }) {
	const [url, setUrl] = useState('');
	const [picture, setPicture] = useState(false);
	useEffect(() => {
		let mine = '', gone = false;
		call('GET', `/api/uploads/${file.file_id}`, { quiet: true }).then((r) => r.blob()).then((b) => {
			if (gone) return;
			mine = URL.createObjectURL(b);
			setUrl(mine);
			setPicture(PICTURES.test(b.type));
		}, () => {});
		return () => {
			gone = true;
			if (mine) URL.revokeObjectURL(mine);
		};
	}, [file.file_id]);
	if (picture) return <a href={url} download={file.filename}><img src={url} alt={file.filename} /></a>;
	const name = <><Icon name="file" /><span>{file.filename}</span></>;
	return url ? <a class="file" href={url} download={file.filename}>{name}</a> : <span class="file">{name}</span>;
}

export function Attachments({ list }: { list: FileRef[] }) {
	return <ul class="attachments" aria-label="Attachments">{list.map((f) => <li key={f.file_id}><One file={f} /></li>)}</ul>;
}
