/** What people are told of the versions in a backup. */
import { counted } from '../../base/counted';
import { sizeText } from '../../base/size-text';
import type { SourceDetails } from '../source';

/** ", 2 older versions of 48 B, 1 delete marker", to be put behind what is current; empty for a backup without versions. */
export function versionsText({ versions, versionBytes, deleteMarkers }: SourceDetails): string {
	if (versions === undefined) return '';
	const older = `${counted(Number(versions), 'older version')} of ${sizeText(Number(versionBytes))}`;
	return `, ${older}, ${counted(Number(deleteMarkers), 'delete marker')}`;
}
