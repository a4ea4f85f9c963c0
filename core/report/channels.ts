/** A message in the forms of all channels. */
import {
	type DiscordMessage,
	discordMessageOf,
	type MattermostMessage,
	mattermostMessageOf,
	type TeamsMessage,
	teamsMessageOf,
} from './chat';
import { htmlOf, telegramOf } from './html';
import type { Message } from './message';
import { type SlackBlock, slackBlocksOf } from './slack';

export interface Channels {
	/** With tables, for an e-mail. */
	html: string;
	slackBlocks: SlackBlock[];
	/** In Telegram's HTML. */
	telegram: string;
	/** For incoming webhooks. */
	teams: TeamsMessage;
	discord: DiscordMessage;
	mattermost: MattermostMessage;
}

/**
 * @param text with its figures, for channels that do not show them beside it
 * @param rest of the text, without figures
 */
export function channelsOf(message: Message, text: string, rest = text): Channels {
	return {
		html: htmlOf(message),
		slackBlocks: slackBlocksOf(message, rest),
		telegram: telegramOf(message.subject, text),
		teams: teamsMessageOf(message, rest),
		discord: discordMessageOf(message, rest),
		mattermost: mattermostMessageOf(message, rest),
	};
}
