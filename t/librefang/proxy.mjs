// One address for two servers: LibreFang's page from the program that has it, everything else,
// sockets too, from ours. Says its port; ends with its standard input.
import http from 'node:http';
import net from 'node:net';

const { LF_PAGE, LF_SERVER } = process.env;
const where = (url) => new URL(/^\/dashboard(?:[/?]|$)/.test(url) ? LF_PAGE : LF_SERVER);

const server = http.createServer((req, res) => {
	const to = where(req.url);
	const up = http.request({ host: to.hostname, port: to.port, method: req.method, path: req.url, headers: req.headers }, (answer) => {
		res.writeHead(answer.statusCode, answer.rawHeaders);
		answer.pipe(res);
	});
	up.on('error', () => res.destroy());
	res.on('close', () => up.destroy());
	req.pipe(up);
});

server.on('upgrade', (req, socket, head) => {
	const to = where(req.url);
	const up = net.connect(to.port, to.hostname, () => {
		const lines = [`${req.method} ${req.url} HTTP/1.1`];
		for (let i = 0; i < req.rawHeaders.length; i += 2) lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
		up.write(`${lines.join('\r\n')}\r\n\r\n`);
		up.write(head);
		up.pipe(socket).pipe(up);
	});
	const end = () => { up.destroy(); socket.destroy(); };
	for (const s of [up, socket]) s.on('error', end).on('close', end);
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
