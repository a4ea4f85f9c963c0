/** All about policies that the rest of the program needs. What they lead to is in `plan.ts`. */
export { formatPolicy, parsePolicy } from './policy-text';
export { type Preset, type PresetKey, POLICY_PRESETS } from './presets';
export { protectUntil } from './protect';
export { type RetentionPolicy, type Risk, RISKS, type Tier, TIERS } from './rules';
