/** How much each tier does: `npm test` on every change, `npm run test:full` for the figures. The only place where counts are set. */
export const isFull = process.env.COUNTERSIGN_TEST_FULL === '1';

export const counts = isFull
  ? {
      killRounds: 50,
      parallelWriters: 32,
      versionsPerWriter: 10,
      propertyRuns: 1000,
      accessWorlds: 60,
      accessWorldsOnPostgres: 20,
      restartEvents: 100_000,
      restartArtifactBytes: 1 << 30,
      hangUps: 200,
      requestRaces: 500,
      governedRaces: 500,
      serverRaces: 500,
      governanceSteps: 100_000,
      governanceStepsOnPostgres: 5_000,
      explained: 5_000,
      planned: 1_000,
      changesWithEvents: 10_000,
      asOfOperations: 10_000,
      smallWorlds: [
        { every: 1, depth: 2 },
        { every: 24, depth: 3 },
      ],
    }
  : {
      killRounds: 5,
      parallelWriters: 32,
      versionsPerWriter: 3,
      propertyRuns: 100,
      accessWorlds: 15,
      accessWorldsOnPostgres: 5,
      restartEvents: 5_000,
      restartArtifactBytes: 32 << 20,
      hangUps: 30,
      requestRaces: 20,
      governedRaces: 8,
      serverRaces: 8,
      governanceSteps: 3_000,
      governanceStepsOnPostgres: 250,
      explained: 120,
      planned: 20,
      changesWithEvents: 300,
      asOfOperations: 300,
      smallWorlds: [{ every: 9, depth: 2 }],
    };
