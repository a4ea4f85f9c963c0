/** Ports of 127.0.0.1. */
import net from 'node:net';

/**
 * @param {number} port
 * @returns {Promise<boolean>} whether nobody listens on it at this moment
 */
export async function isFree(port) {
	const server = net.createServer();
	return await new Promise((resolve) => {
		server.once('error', () => resolve(false));
		server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
	});
}
