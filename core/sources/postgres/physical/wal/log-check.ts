/** Whether a piece of log, or a history of timelines, is as it should be, while its bytes pass. */
import { BackupError } from '../../../../base/errors';
import type { StoredPart } from '../../../../records/manifest';
import type { DataCheck, OpenBackup } from '../../../source';
import { formatLsn, parseHistory, parseLsn } from '../lsn';
import type { LogContents } from './contents';
import { LogVerifier } from './verifier';

/** More than a cluster with a thousand promotions has. */
const MAX_HISTORY_BYTES = 1024 * 1024;

/** @throws BackupError 'damaged' for a part that the contents do not name */
export function checkLog({ contents, manifest }: OpenBackup<LogContents>, part: StoredPart): DataCheck {
	const backup = `${manifest.group}/${manifest.label}`;
	const piece = contents.pieces.find(({ name }) => part.name.startsWith(name));
	if (piece) return checkPiece(backup, piece, contents);
	if (contents.histories.some((name) => part.name.startsWith(name))) return checkHistory(backup);
	throw new BackupError('damaged', `the contents of ${backup} do not name its part ${part.name}`, {
		hint: 'No program of ours writes that. Use another backup.',
	});
}

function checkPiece(
	backup: string,
	{ timeline, start, end }: LogContents['pieces'][number],
	contents: LogContents,
): DataCheck {
	const { systemIdentifier, segmentBytes } = contents;
	const verifier = new LogVerifier({ systemIdentifier, segmentBytes, timeline });
	let at = parseLsn(start);
	return {
		add(chunk) {
			verifier.add(chunk, at);
			at += BigInt(chunk.length);
		},
		end() {
			verifier.finish();
			if (at === parseLsn(end)) return;
			throw new BackupError('incomplete', `${backup} ends at ${formatLsn(at)}, not at ${end}`);
		},
	};
}

function checkHistory(backup: string): DataCheck {
	const chunks: Buffer[] = [];
	let bytes = 0;
	const damaged = () => new BackupError('damaged', `${backup} has a history of timelines that no server writes`);
	return {
		add(chunk) {
			bytes += chunk.length;
			if (bytes > MAX_HISTORY_BYTES) throw damaged();
			chunks.push(Buffer.from(chunk));
		},
		end() {
			if (parseHistory(Buffer.concat(chunks).toString('utf8')).length === 0) throw damaged();
		},
	};
}
