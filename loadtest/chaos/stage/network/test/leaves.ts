/** Ends, with the exit code that it was given, when the process is gone that had started it. */
process.on('disconnect', () => process.exit(Number(process.argv[2])));
if (!process.connected) process.exit(Number(process.argv[2]));
