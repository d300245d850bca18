"""The processes, as data: one folder a process, with BPMN, DMN, forms, deadlines and texts."""
