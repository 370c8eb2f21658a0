/* SPDX-License-Identifier: MIT */
/*
 * Failures that the debugging kernel makes on request.
 */
#ifndef FUZZ_FAULTS_H
#define FUZZ_FAULTS_H

void faults_prepare(void);
int faults_open(void);
void faults_begin(int nth, unsigned int number);
void faults_end(int nth);

#endif /* FUZZ_FAULTS_H */
