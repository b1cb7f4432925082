import '@fontsource-variable/inter/wght.css';
import './styles/colours.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/chat.css';
import './styles/pages.css';
import './styles/prose.css';
import { render } from 'preact';
import { begin } from './core/auth';
import { App } from './ui/app';

render(<App />, document.getElementById('app')!);
void begin();
