// Imported by main.tsx for what it does, made into files of its own by the bundler.
declare module '*.css';
declare module '@fontsource-variable/inter/wght.css';
