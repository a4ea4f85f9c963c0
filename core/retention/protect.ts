/** How long a policy keeps a backup that is made now. */
import { completePolicy, type RetentionPolicy } from './rules';

export function protectUntil(policy: RetentionPolicy, _startedAt: Date): Date | null {
	completePolicy(policy);
	return null;
}
