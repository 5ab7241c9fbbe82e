// steps/compare/compare_step.h - Step type "compare": a live system against the recovery point,
// without restoring anything.
//
//   before:
//     compare: { source: orders, except: ["rows"] }        # how far has it moved since?
//   replica:
//     compare: { source: orders, at: "${replica.url}", with: { password: "${replica.password}" } }
//
// The live system is compared with its snapshot item by item, as a restore is proven
// (source::Source::verify). `at` names another system of the same kind than the configured one.
// Differences whose check's name holds a text of `except` are told as remarks and hold nothing
// back; something has to be left that was really compared.
//
// It reads all that the source holds, at each look: two times when all is equal. Outputs: snapshot,
// identity, compared (checks), differing (those excepted). It changes nothing. Fence: native, there
// is nothing to fence.
#pragma once

#include "steps/restore/restore_step.h"

namespace lifeboat::steps {

plan::StepType compare_step(const RestoreWorld& world);

}  // namespace lifeboat::steps
