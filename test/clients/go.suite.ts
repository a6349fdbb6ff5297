import { commonChecks, describeProgram } from './external-suite.ts';
import { buildGo } from './go-build.ts';

describeProgram({ name: 'franz-go', checks: commonChecks, install: () => buildGo('franz') });
describeProgram({ name: 'sarama', checks: commonChecks, install: () => buildGo('sarama') });
