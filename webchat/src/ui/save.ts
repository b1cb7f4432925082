// A file that the reader keeps.
export function save(name: string, blob: Blob) {
	const a = document.createElement('a'), url = URL.createObjectURL(blob);
	a.href = url;
	a.download = name;
	a.click();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}
