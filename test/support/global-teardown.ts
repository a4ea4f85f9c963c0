/** After all tests. What is left when the run is killed ends by itself. */
import { stopSharedPostgres } from './postgres';
import { globalStop } from './s3';

export default async function tearDown(): Promise<void> {
	await globalStop();
	await stopSharedPostgres();
}
