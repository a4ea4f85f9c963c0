/**
 * The part of the build that no compiler does: icons and workflow templates are checked and copied into `dist`, and the
 * embedded database is prepared. Runs after tsc, because it needs what that has compiled.
 */
const fs = require('node:fs');
const path = require('node:path');
const { dest, parallel, src } = require('gulp');
const { checkIcon, iconFiles } = require('./gulp/icons');
const { ROOT, loadRegistered } = require('./gulp/package-nodes');
const { checkTemplate } = require('./gulp/templates');

const DIST = path.join(ROOT, 'dist');

/** Every icon that a node or credential names, and no other, goes to `dist`. */
function icons() {
	const found = loadRegistered().map(iconFiles);
	const problems = found.flatMap((each) => each.problems);
	const sources = new Set(
		found.flatMap(({ files }) => files.map((file) => path.join(ROOT, path.relative(DIST, file)))),
	);
	for (const file of sources) {
		const name = path.relative(ROOT, file);
		if (!fs.existsSync(file)) problems.push(`${name} is missing`);
		else problems.push(...checkIcon(fs.readFileSync(file, 'utf8')).map((problem) => `${name} ${problem}`));
	}
	failOn('icons', problems);
	return src([...sources], { base: ROOT, encoding: false }).pipe(dest(DIST));
}

/** Every template that keeps the rules goes to `dist/workflows`; one that does not ends the build. */
function workflows() {
	const { name: packageName } = require('./package.json');
	const ourNodes = loadRegistered()
		.filter(({ kind }) => kind === 'node')
		.map(({ type }) => ({
			type: `${packageName}.${type.name}`,
			versions: [type.version].flat(),
			name: type.defaults.name,
			parameters: type.properties.map((property) => property.name),
		}));
	const files = fs.globSync('workflows/*.json', { cwd: ROOT });
	const problems = files.flatMap((file) => {
		const template = JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8'));
		return checkTemplate(template, ourNodes).map((problem) => `${file}: ${problem}`);
	});
	failOn('workflow templates', problems);
	return src('workflows/*.json', { cwd: ROOT, base: ROOT, allowEmpty: true }).pipe(dest(DIST));
}

/** The data directory on which every embedded database starts goes to `dist`. */
async function database() {
	const { prepareDatabase } = require('./dist/core/sources/postgres/drill/embedded/prepared.js');
	await prepareDatabase();
}

/** @throws Error that lists every problem, so that all can be mended at once */
function failOn(what, problems) {
	if (problems.length === 0) return;
	const error = new Error(
		`${what} are not as they must be:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
	);
	// gulp prints the stack of an error; here it would only hide the list.
	error.showStack = false;
	throw error;
}

exports.icons = icons;
exports.workflows = workflows;
exports.database = database;
exports.build = parallel(icons, workflows, database);
