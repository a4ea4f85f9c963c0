/** How long ago something was, for people: "3 hours ago". */
export function ageText(at: string | number | Date, now: number = Date.now()): string {
	const minutes = Math.round((now - new Date(at).getTime()) / 60_000);
	if (minutes < 0) return 'in the future';
	if (minutes === 0) return 'just now';
	if (minutes < 120) return `${minutes} ${minutes === 1 ? 'minute' : 'minutes'} ago`;
	const hours = Math.round(minutes / 60);
	return hours < 48 ? `${hours} hours ago` : `${Math.round(hours / 24)} days ago`;
}
