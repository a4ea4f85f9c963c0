/** Lets Node run the sources as they are (`node --import`): it strips types itself, but wants file extensions in imports. */
import { registerHooks } from 'node:module';

registerHooks({
	resolve(specifier, context, next) {
		try {
			return next(specifier, context);
		} catch (error) {
			if (error.code !== 'ERR_MODULE_NOT_FOUND' || !specifier.startsWith('.')) throw error;
			return next(`${specifier}.ts`, context);
		}
	},
});
