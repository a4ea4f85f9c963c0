/** After all tests. What is left when the run is killed ends by itself. */
import { stopSharedN8n } from './n8n';
import { stopSharedPostgres } from './postgres';
import { globalStop } from './s3';

export default async function tearDown(): Promise<void> {
	await globalStop();
	// It keeps its data there.
	await stopSharedN8n();
	await stopSharedPostgres();
}
