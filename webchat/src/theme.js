// Before anything is drawn: the colours that were chosen last time.
try {
	const t = localStorage.getItem('lf-theme');
	if (t === 'light' || t === 'dark') document.documentElement.dataset.theme = t;
} catch { /* no storage: the system's colours */ }
