// Copying, also where the page came over plain HTTP and the browser has no clipboard for it.
export async function copy(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch { /* the old way */ }
	const box = document.createElement('textarea');
	const before = document.activeElement as HTMLElement | null;
	box.value = text;
	box.className = 'away';
	document.body.append(box);
	box.select();
	const done = document.execCommand('copy');
	box.remove();
	before?.focus();
	return done;
}
