/** Gives the installed n8n its driver of SQLite unless it has one; only those whose database is `sqlite` need it. */
export function installSqlite(): Promise<void>;
