/** Somebody at mouse and keyboard, whose effort is counted. */
import type { Locator, Page } from 'playwright-core';

export class Person {
	/** Presses of the mouse; a double click is two. */
	clicks = 0;
	/** Fields that were written into, by typing or by pasting a value. */
	fields = 0;

	constructor(private readonly page: Page) {}

	async click(target: Locator): Promise<void> {
		this.clicks += 1;
		await target.click();
	}

	async doubleClick(target: Locator): Promise<void> {
		this.clicks += 2;
		await target.dblclick();
	}

	/** Clicks into a field and replaces what it holds. Does nothing where the field holds it already. */
	async fill(field: Locator, value: string): Promise<void> {
		if ((await field.inputValue()) === value) return;
		this.fields += 1;
		await this.click(field);
		await this.page.keyboard.press('ControlOrMeta+A');
		await this.page.keyboard.insertText(value);
	}

	/** Copies a text from somewhere else, and pastes it where the page has its focus. */
	async paste(text: string): Promise<void> {
		await this.page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(text)})`);
		await this.page.keyboard.press('ControlOrMeta+V');
	}
}
