/** The part of the WebAssembly JavaScript API that the built-in engine uses; TypeScript has it only together with the DOM. */
declare namespace WebAssembly {
	interface ModuleImportDescriptor {
		module: string;
		name: string;
	}
	type ImportValue = ((...args: never[]) => unknown) | Memory | Table | Global;
	type Imports = Record<string, Record<string, ImportValue>>;

	class Module {
		constructor(bytes: Uint8Array);
		static imports(module: Module): ModuleImportDescriptor[];
	}
	class Instance {
		constructor(module: Module, imports: Imports);
		readonly exports: Record<string, unknown>;
	}
	class Memory {
		constructor(descriptor: { initial: number; maximum: number });
		readonly buffer: ArrayBuffer;
		grow(pages: number): number;
	}
	class Table {
		constructor(descriptor: { initial: number; element: 'anyfunc' });
		get(index: number): unknown;
		set(index: number, value: unknown): void;
		grow(entries: number): number;
	}
	class Global {
		constructor(descriptor: { value: 'i32'; mutable: boolean }, value: number);
	}

	function compile(bytes: Uint8Array): Promise<Module>;
}
