/** Keeps one PostgreSQL server for tests; its options are those of `startServer`. */
import { startServer } from '../../scripts/lib/postgres.mjs';
import { keep } from './keeper.mjs';

await keep(async (options) => {
	const server = await startServer(options);
	return { server, stop: () => server.stop(), kill: () => server.kill() };
});
