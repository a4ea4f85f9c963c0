/** How one object is written to a bucket. */
import type { RetryPolicy } from '../../base/retry';
import type { Protection } from '../storage';
import type { ObjectLock } from './object-lock';
import { PartMemory } from './part';

export interface UploadOptions {
	/** Bytes of the first parts. */
	partSize: number;
	maxParts: number;
	/** Every part but the last has the same size. */
	uniformParts: boolean;
	/** Parts sent at the same time, as long as they have their first size. */
	concurrency: number;
	/** See {@link AtRest}. */
	storageClass?: string;
	retry: RetryPolicy;
	signal?: AbortSignal;
	onProgress?: (bytes: number) => void;
	onMoved?: () => void;
	protect?: Protection;
	lock: ObjectLock;
	/** Takes the place of an object of that name. Needs a bucket without {@link CreateOnly}. @default false */
	replace?: boolean;
	/** Who writes has looked before, and reads the object back: for one part, no further request is spent on that. @default false */
	isWatched?: boolean;
	/** Instead of memory of the upload's own, for measuring it. */
	memory?: PartMemory;
}
